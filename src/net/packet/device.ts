import { totalmem } from 'node:os';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { DeviceCounters } from './device-counters.ts';
import { type DeviceHandler, type Drain, type IoTier, Port } from './drain.ts';
import { FdStream } from './fd-stream.ts';
import { type Offload, openTun } from './tun.ts';

/** As large as a packet can be: what is too large for the way on is answered by the director, not by the device. */
const MTU = 65_535;

/**
 * Packets that wait in the kernel while the loop does other work: a tenth of a second of small ones under full load. The
 * largest may be of 64 KiB, and all of them are to take no more than this part of the memory.
 */
const QUEUE_LENGTH = { least: 500, most: 16_384 };
const MEMORY_SHARE = 1 / 16;

/** @param memoryBytes of the whole machine. @returns packets */
export function queueLength(memoryBytes: number): number {
  const fitting = Math.floor((memoryBytes * MEMORY_SHARE) / 65_536);
  return Math.min(Math.max(fitting, QUEUE_LENGTH.least), QUEUE_LENGTH.most);
}

export interface PacketDeviceOptions {
  readonly name: string;
  readonly drain: Drain;
  readonly handler: DeviceHandler;
  /** What passes is added to these. Default: its own. */
  readonly counters?: DeviceCounters;
  /** The device was deleted under us, or cannot be read for another reason: an errno's name. Called once, not after `close`. */
  readonly onLost: (code: string) => void;
  /** In bytes. */
  readonly mtu?: number;
  /** Brings the device up. Default: left to the caller. */
  readonly up?: boolean;
}

/** A TUN device of ours whose packets go through a handler, on libuv's loop. It disappears when it is closed. */
export class PacketDevice {
  readonly name: string;
  /** What the kernel leaves to us and takes from us unfinished. */
  readonly offloads: readonly Offload[];
  private readonly drain: Drain;
  private readonly port: Port;
  private readonly stream: FdStream;

  /** @throws DeviceError that says what is missing */
  constructor(options: PacketDeviceOptions) {
    const { name, drain, handler, mtu = MTU, up = false } = options;
    const tun = openTun({ name, vnetHeader: true, mtu, queueLength: queueLength(totalmem()), up });
    this.name = tun.name;
    this.offloads = tun.offloads;
    this.drain = drain;
    const port = new Port(tun.fd, handler, options.counters);
    port.takesBundles = tun.offloads.includes('uso');
    this.port = port;
    this.stream = new FdStream(tun.fd, {
      buffer: drain.wakeBuffer,
      onRead: (readBytes) => {
        if (!port.isClosed) drain.wake(port, readBytes);
      },
      onLost: (code) => {
        if (port.isClosed) return;
        port.isClosed = true;
        options.onLost(code);
      },
    });
  }

  get tier(): IoTier {
    return this.drain.tier;
  }

  get counters(): DeviceCounters {
    return this.port.counters;
  }

  /**
   * Writes a packet after those that were handled before: it enters the host as if it came in by this device. The bytes
   * are the caller's again when it returns.
   * @param at where the IP header starts; its virtio header stands at `at - 10`
   */
  send(bytes: Uint8Array, at: number, length: number): void {
    this.drain.send(this.port, bytes, at, length);
  }

  /** Removes the device; may be called from its handler. Resolves when it is gone. */
  async close(): Promise<void> {
    this.port.isClosed = true;
    // Not within a batch, in which the descriptor is in use.
    await nextTurn();
    await this.stream.close();
  }
}
