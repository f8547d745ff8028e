import { AF_NETLINK, MSG_DONTWAIT, NETLINK_GENERIC, SOCK_CLOEXEC } from './abi.ts';
import type { SocketCalls } from './client-socket.ts';
import { type FamilyNumbers, familyIdIn, familyRequest, isFamilyDump, type Part } from './datagrams.ts';

const REQUEST = 1024;
const REPLY = 2048;
const REPLY_LEN = 8192;

/**
 * Knows the number of the family IPVS of a kernel that has one: a program finds it in the list of all families, and its
 * messages to it are to reach the director, not the kernel's table.
 */
export class KernelFamily {
  numbers: FamilyNumbers = { kernel: undefined };
  private readonly calls: SocketCalls;

  constructor(calls: SocketCalls) {
    this.calls = calls;
  }

  /** Looks the number up if a program is about to see it. */
  learn(parts: readonly Part[]): void {
    if (!parts.some(({ bytes }) => isFamilyDump(bytes))) return;
    const { native, arch, scratch } = this.calls;
    const { syscalls } = arch;
    const fd = native.syscall(syscalls.socket, AF_NETLINK, 3 | SOCK_CLOEXEC, NETLINK_GENERIC);
    if (fd < 0) return;
    const request = familyRequest();
    scratch.bytes.set(request, REQUEST);
    native.syscall(syscalls.sendto, fd, scratch.address + REQUEST, request.length, MSG_DONTWAIT, 0, 0);
    // The kernel has answered when the call returns.
    const length = native.syscall(
      syscalls.recvfrom,
      fd,
      scratch.address + REPLY,
      REPLY_LEN,
      MSG_DONTWAIT,
      0,
      0,
    );
    native.syscall(syscalls.close, fd);
    const id = length > 0 ? familyIdIn(scratch.bytes.subarray(REPLY, REPLY + length)) : -1;
    this.numbers = { kernel: id < 0 ? undefined : id };
  }
}
