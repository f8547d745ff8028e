import type { Socket } from 'node:dgram';
import { formatAddress } from '../core/address.ts';
import { EntryImage } from '../core/entry-image.ts';
import type { ConnId } from '../core/flow.ts';
import type { SyncSink } from '../core/sync-offers.ts';
import { adoptSocket } from './datagram-socket.ts';
import { type GroupConfig, openSender } from './group-socket.ts';
import { Outbox } from './outbox.ts';
import type { SyncParts } from './sync-parts.ts';

/** A whole message waits this long for others. */
const SEND_DELAY_MS = 20;
/** So many waiting messages are sent at once. */
const SEND_AT_ONCE = 8;
/** How often is looked for messages that have waited for more records. */
const CHECK_MS = 1000;
/** Messages that the loop has taken and not sent yet. */
const MOST_IN_FLIGHT = 64;
/** Of waiting messages of one port. */
const QUEUE_MAX_BYTES = 64 << 20;

/** One port of the group. */
interface Line {
  readonly outbox: Outbox;
  readonly port: number;
  socket: Socket | undefined;
  inFlight: number;
  /** Messages that came to the queue since the last sending. */
  fresh: number;
  timer: NodeJS.Timeout | undefined;
}

/** The master daemon: puts offered entries into messages and sends them to the group. */
export class SyncMaster implements SyncSink {
  private readonly parts: SyncParts;
  private readonly config: GroupConfig;
  private readonly group: string;
  private readonly lines: readonly Line[];
  private readonly image = new EntryImage();
  private readonly checks: NodeJS.Timeout;

  /** @param ports how many ports of the group share the entries, a power of two */
  constructor(parts: SyncParts, config: GroupConfig, ports: number) {
    this.parts = parts;
    this.config = config;
    this.group = formatAddress(config.group);
    this.lines = Array.from({ length: ports }, (_, n) => this.line(config.port + n));
    this.checks = setInterval(() => {
      for (const line of this.lines) this.send(line);
    }, CHECK_MS);
    this.checks.unref();
  }

  /** Opens the sockets, again if they are open. @throws DeviceError, and then they are closed */
  open(): void {
    this.closeSockets();
    try {
      for (const line of this.lines) {
        const fd = openSender(this.config, line.port, this.parts.director.settings.number('sync_sock_size'));
        const onError = (error: Error): void => this.failed(error);
        line.socket = adoptSocket(fd, this.config.group.family, () => {}, onError);
      }
    } catch (error) {
      this.closeSockets();
      throw error;
    }
  }

  offer(id: ConnId, now: number): void {
    const { director, counters } = this.parts;
    const { conns } = director.life;
    const { image } = this;
    image.show(conns, id);
    // An engine's template without server is nothing that others could use.
    if (image.peData !== '' && conns.destSlot(id) < 0) return;
    const line = this.lines[id & (this.lines.length - 1)]!;
    const version = director.settings.numbers.sync_version === 0 ? 0 : 1;
    counters.recordsSent++;
    if (line.outbox.add(image, version, now)) this.schedule(line);
  }

  close(): void {
    clearInterval(this.checks);
    for (const line of this.lines) clearTimeout(line.timer);
    this.closeSockets();
  }

  private line(port: number): Line {
    const { syncId, maxLen } = this.config;
    const { settings } = this.parts.director;
    const queueMax = (): number => settings.number('sync_qlen_max');
    const outbox = new Outbox({ syncId, maxLen, queueMax, queueMaxBytes: QUEUE_MAX_BYTES });
    return { outbox, port, socket: undefined, inFlight: 0, fresh: 0, timer: undefined };
  }

  private schedule(line: Line): void {
    line.fresh++;
    if (line.fresh === SEND_AT_ONCE) {
      clearTimeout(line.timer);
      line.timer = setTimeout(() => this.send(line), 0);
    }
    line.timer ??= setTimeout(() => this.send(line), SEND_DELAY_MS);
  }

  private send(line: Line): void {
    const { counters, now } = this.parts;
    clearTimeout(line.timer);
    line.timer = undefined;
    line.fresh = 0;
    counters.queueDropped += line.outbox.dropped;
    line.outbox.dropped = 0;
    while (line.inFlight < MOST_IN_FLIGHT) {
      const message = line.outbox.take(now());
      if (message === undefined) return;
      this.sendOne(line, message);
    }
  }

  /** A message that cannot be sent is lost, as with a kernel: the next packets tell of the same connections. */
  private sendOne(line: Line, message: Uint8Array): void {
    const { socket, outbox } = line;
    if (socket === undefined) {
      this.parts.counters.sendErrors++;
      outbox.recycle(message);
      return;
    }
    line.inFlight++;
    socket.send(message, line.port, this.group, (error) => {
      line.inFlight--;
      if (error) this.failed(error);
      else this.sent(message);
      outbox.recycle(message);
      if (outbox.waiting > 0 && line.timer === undefined) this.send(line);
    });
  }

  private sent(message: Uint8Array): void {
    this.parts.counters.messagesSent++;
    this.parts.counters.bytesSent += message.length;
  }

  private failed(error: Error): void {
    this.parts.counters.sendErrors++;
    this.parts.problems.say(`sync: not sent to ${this.group} on ${this.config.interface}: ${error.message}`);
  }

  private closeSockets(): void {
    for (const line of this.lines) {
      line.socket?.close();
      line.socket = undefined;
    }
  }
}
