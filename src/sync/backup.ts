import type { Socket } from 'node:dgram';
import type { SyncOffers } from '../core/sync-offers.ts';
import { adoptSocket } from './datagram-socket.ts';
import { type GroupConfig, openListener } from './group-socket.ts';
import { Receiver } from './receiver.ts';
import type { SyncParts } from './sync-parts.ts';

/** The backup daemon: hears the group and keeps entries as its masters tell of them. */
export class SyncBackup {
  private readonly parts: SyncParts;
  private readonly config: GroupConfig;
  private readonly ports: number;
  private readonly receiver: Receiver;
  private sockets: Socket[] = [];

  /**
   * @param ports how many ports of the group are heard
   * @param offers of this director's own master, if it runs
   */
  constructor(parts: SyncParts, config: GroupConfig, ports: number, offers: () => SyncOffers | undefined) {
    this.parts = parts;
    this.config = config;
    this.ports = ports;
    const { intake, counters, problems } = parts;
    const { syncId, maxLen } = config;
    this.receiver = new Receiver({ syncId, maxLen, intake, offers, counters, problems });
  }

  /** Opens the sockets, again if they are open. @throws DeviceError, and then they are closed */
  open(): void {
    this.close();
    const { director, problems, now } = this.parts;
    const { config, receiver } = this;
    try {
      for (let n = 0; n < this.ports; n++) {
        const fd = openListener(config, config.port + n, director.settings.number('sync_sock_size'));
        const onMessage = (bytes: Uint8Array, from: string): void => receiver.message(bytes, from, now());
        const onError = (error: Error): void => problems.say(`sync: not received: ${error.message}`);
        this.sockets.push(adoptSocket(fd, config.group.family, onMessage, onError));
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    for (const socket of this.sockets.splice(0)) socket.close();
  }
}
