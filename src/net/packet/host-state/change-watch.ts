import { FdStream } from '../fd-stream.ts';
import { NETLINK_NETFILTER, NETLINK_ROUTE, openNetlink } from './netlink-socket.ts';

/** Groups of changes as bit masks (uapi linux/rtnetlink.h, RTMGRP_*; rules of IPv4 and IPv6 are groups 8 and 19). */
const LINKS_ADDRESSES_ROUTES = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;
const RULES = 0x80 | 0x40000;
/** NFNLGRP_NFTABLES is group 7. */
const NFTABLES = 1 << 6;

/** More than any notice. */
const NOTICE_BYTES = 65_536;

/** What is watched. */
export const WATCH = {
  /** Links, addresses, routes and rules: all that decides where packets go. */
  ROUTING: [NETLINK_ROUTE, LINKS_ADDRESSES_ROUTES | RULES],
  NFTABLES: [NETLINK_NETFILTER, NFTABLES],
} as const;

/** Tells of changes that anyone makes to the host's network, on Node's loop. */
export class ChangeWatch {
  private readonly what: readonly [family: number, groups: number];
  private readonly onChange: (notice: Uint8Array | undefined) => void;
  private readonly buffer = Buffer.allocUnsafeSlow(NOTICE_BYTES);
  private stream: FdStream;
  private isClosed = false;

  /**
   * @param what one of WATCH
   * @param onChange gets each notice of the kernel, which may tell several changes, valid until it returns; `undefined` if
   *   notices were missed
   * @throws DeviceError
   */
  constructor(what: readonly [number, number], onChange: (notice: Uint8Array | undefined) => void) {
    this.what = what;
    this.onChange = onChange;
    this.stream = this.listen();
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await this.stream.close();
  }

  private listen(): FdStream {
    const { buffer } = this;
    return new FdStream(openNetlink(...this.what), {
      buffer,
      onRead: (length) => this.onChange(buffer.subarray(0, length)),
      onLost: () => this.lost(),
    });
  }

  /** The kernel ends a reader that falls behind (ENOBUFS): what was missed counts as a change. */
  private lost(): void {
    if (this.isClosed) return;
    this.stream.close().then(() => {
      if (this.isClosed) return;
      this.stream = this.listen();
      this.onChange(undefined);
    }, rethrow);
  }
}

/** A defect ends the thread, out of the promise that it came up in. */
function rethrow(error: unknown): void {
  setImmediate(() => {
    throw error;
  });
}
