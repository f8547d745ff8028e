import { closeSync, readSync, writeSync } from 'node:fs';
import { DeviceError } from '../../device-error.ts';
import { type Arena, native } from '../../ffi/native.ts';
import {
  answerErrno,
  type Devconf,
  devconfRequest,
  type LinkAnswer,
  linkRequest,
  linksRequest,
  parseLink,
  parseLinks,
} from './rtnetlink.ts';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const EPERM = 1;

export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;

/** The kernel answers within the call that asks: a socket that has nothing then never will. */
const ANSWER_TIMEOUT_SEC = 1;

/** Answers about one link or route are far shorter; what is too long is cut off by the kernel. */
const ANSWER_BYTES = 32_768;

const SOCKADDR_NL_LEN = 12;
const TIMEVAL_LEN = 16;

/**
 * Opens a netlink socket.
 *
 * @param family NETLINK_ROUTE or NETLINK_NETFILTER
 * @param groups multicast groups to join, as a bit mask (bit n - 1 is group n)
 * @returns the descriptor, which the caller owns
 * @throws DeviceError
 */
export function openNetlink(family: number, groups: number): number {
  const { calls } = native();
  const fd = native().syscall(calls.socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, family);
  if (fd < 0) throw new DeviceError('open a netlink socket', fd);
  const bound = withArena(SOCKADDR_NL_LEN, ({ address, view }) => {
    view.setUint16(0, AF_NETLINK, true);
    view.setUint32(4, 0, true);
    view.setUint32(8, groups, true);
    return native().syscall(calls.bind, fd, address, SOCKADDR_NL_LEN);
  });
  if (bound === 0) return fd;
  closeSync(fd);
  throw new DeviceError('watch the network for changes', bound, help(bound));
}

/** Asks the kernel about routes and links, one question at a time; answers are there when the call returns. */
export class NetlinkSocket {
  private readonly fd: number;
  private readonly answer = Buffer.allocUnsafeSlow(ANSWER_BYTES);
  private sequence = 0;

  /** @throws DeviceError */
  constructor() {
    this.fd = openNetlink(NETLINK_ROUTE, 0);
    const { calls } = native();
    const result = withArena(TIMEVAL_LEN, ({ address, view }) => {
      view.setBigInt64(0, BigInt(ANSWER_TIMEOUT_SEC), true);
      view.setBigInt64(8, 0n, true);
      return native().syscall(calls.setsockopt, this.fd, SOL_SOCKET, SO_RCVTIMEO, address, TIMEVAL_LEN);
    });
    if (result === 0) return;
    closeSync(this.fd);
    throw new DeviceError('limit the wait for netlink answers', result);
  }

  /** @returns the kernel's first answer; valid until the next call */
  ask(request: Uint8Array): Uint8Array {
    writeSync(this.fd, request);
    return this.answer.subarray(0, readSync(this.fd, this.answer));
  }

  /**
   * Changes IPv4 settings of a device as sysctl would, also where /proc/sys is read-only.
   * @throws DeviceError if there is no such device, or without CAP_NET_ADMIN
   */
  setDevconf(device: string, settings: Readonly<Partial<Record<Devconf, number>>>): void {
    const found = this.ask(linkRequest(device, ++this.sequence));
    const link = parseLink(found);
    if (!link) throw new DeviceError(`find device ${device}`, -answerErrno(found));
    const errno = answerErrno(this.ask(devconfRequest(link.index, settings, ++this.sequence)));
    if (errno !== 0) throw new DeviceError(`change settings of ${device}`, -errno, help(-errno));
  }

  /** Whether a device is there and down. */
  isDown(device: string): boolean {
    return parseLink(this.ask(linkRequest(device, ++this.sequence)))?.isUp === false;
  }

  /** All devices of this network namespace. */
  links(): LinkAnswer[] {
    const links: LinkAnswer[] = [];
    let isWhole = parseLinks(this.ask(linksRequest(++this.sequence)), links);
    while (!isWhole) isWhole = parseLinks(this.answer.subarray(0, readSync(this.fd, this.answer)), links);
    return links;
  }

  close(): void {
    closeSync(this.fd);
  }
}

const help = (result: number): string | undefined =>
  result === -EPERM ? 'needs CAP_NET_ADMIN in this network namespace' : undefined;

function withArena(lengthBytes: number, use: (arena: Arena) => number): number {
  const arena = native().arena(lengthBytes);
  try {
    return use(arena);
  } finally {
    native().release(arena);
  }
}
