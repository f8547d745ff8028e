import { DeviceCounters } from './device-counters.ts';

/** How packets are moved: batches of io_uring, or one system call each. */
export type IoTier = 'uring' | 'sync';

/** Bytes before a packet that its handler may use; the virtio header is in the last ten of them. */
export const HEADROOM = 128;

/** Bytes of the largest packet: an IPv6 header and what its length field can say. */
export const MAX_PACKET = 65_575;

/**
 * Bytes from one packet's slot to the next one's.
 *
 *   0          118             128              128 + length
 *   | headroom | virtio header | packet ........| room to grow | next slot
 */
export const SLOT_BYTES = 66_560;

/** Bytes of the virtio header before each packet. */
export const VNET_BYTES = 10;

/** What a kernel says that takes no UDP super-packets. */
const EINVAL = -22;

/** Packets in a row that let us look whether many wait. */
const LEAST_PATIENCE = 8;
const MOST_PATIENCE = 128;

/** Handles the packets of one device. */
export interface DeviceHandler {
  /**
   * The packet may be rewritten, shrunk and grown in place, its virtio header at `at - 10` included. The bytes are the
   * handler's until it returns.
   * @param at where the IP header starts; HEADROOM bytes before it are free
   * @returns how many bytes from `at` on are to be written back to the device, 0 for none
   */
  packet(bytes: Uint8Array, at: number, length: number): number;
  /** The packets that came together were handled; what is sent here leaves with their last. */
  batchEnd(): void;
}

/** A device as a drain sees it. */
export class Port {
  readonly fd: number;
  readonly handler: DeviceHandler;
  readonly counters: DeviceCounters;
  /** Set when the device is closed or lost: its descriptor must not be used any more. */
  isClosed = false;
  /** Whether more packets stood behind the one that woke us last. */
  isBusy = false;
  /** Whether enough packets wait together to be moved by rounds. */
  isDeep = false;
  /** Packets to be moved one by one before rounds are tried. */
  patience = LEAST_PATIENCE;
  /** Whether datagrams of a flow may be written as one super-packet. */
  takesBundles = false;
  /** Wakes since we last looked for more. */
  looksSkipped = 0;

  /** @param counters may be those of other devices too */
  constructor(fd: number, handler: DeviceHandler, counters = new DeviceCounters()) {
    this.fd = fd;
    this.handler = handler;
    this.counters = counters;
  }

  /** Packets that come one after another are no queue: after a vain trial of rounds the next one waits longer. */
  learnDepth(isDeep: boolean): void {
    this.patience = isDeep ? LEAST_PATIENCE : Math.min(2 * this.patience, MOST_PATIENCE);
    this.isDeep = isDeep;
  }

  /** A kernel that refuses a bundle gets no more. @param result of writing it: bytes, or -errno */
  learnBundles(result: number): void {
    if (result === EINVAL) this.takesBundles = false;
  }
}

/** Moves packets between devices and their handlers. One drain serves all devices of a thread. */
export interface Drain {
  readonly tier: IoTier;
  /** Where the loop puts the virtio header and the packet that wake us. */
  readonly wakeBuffer: Uint8Array;
  /** Handles the packet in the wake buffer and those that wait behind it, for WAKE_MS at most. @param readBytes virtio header included */
  wake(port: Port, readBytes: number): void;
  /**
   * Writes a packet after those that were handled before; its virtio header stands at `at - 10`. The bytes are the
   * caller's again when it returns.
   */
  send(port: Port, bytes: Uint8Array, at: number, length: number): void;
  /** Frees the memory. No device may be open. */
  close(): void;
}

/** A wake ends after so many milliseconds, so that the loop's other work gets its turn; what is left wakes us again. */
export const WAKE_MS = 2;
