import {
  AF_NETLINK,
  type Architecture,
  AT_EMPTY_PATH,
  F_DUPFD,
  F_DUPFD_CLOEXEC,
  NETLINK_GENERIC,
  O_ACCMODE,
  O_CLOEXEC,
  O_CREAT,
  type SyscallName,
} from './abi.ts';
import { and, assemble, give, type Instruction, ifAtLeast, ifEqual, label, load } from './bpf.ts';
import { SOCKOPT_BASE, SOCKOPT_COUNT } from './sockopt-abi.ts';

/** SECCOMP_RET_*. */
export const VERDICT = { ALLOW: 0x7fff0000, NOTIFY: 0x7fc00000 } as const;

/** Which opened files are looked at: none, those that are opened as fopen() does, all of them and stat() too. */
export type ProcMode = 'off' | 'fopen' | 'all';
export const PROC_MODES: readonly ProcMode[] = ['off', 'fopen', 'all'];

/** Descriptor numbers [low, high) in which emulated sockets and files are put. */
export interface DescriptorWindow {
  readonly low: number;
  readonly high: number;
}

const WINDOW_SIZE = 128;
/** Descriptors from here on are out of select()'s reach. */
const SELECT_LIMIT = 1024;
/** Offsets in struct seccomp_data. */
const NUMBER = 0;
const ARCH = 4;
const argument = (index: number): number => 16 + 8 * index;

/** System calls that are watched when their first argument lies in the window. */
const ON_DESCRIPTORS: readonly SyscallName[] = [
  'read',
  'write',
  'sendmsg',
  'recvmsg',
  'sendto',
  'recvfrom',
  'readv',
  'writev',
  'sendmmsg',
  'recvmmsg',
  'dup',
];
const ON_PATHS: readonly SyscallName[] = [
  'stat',
  'lstat',
  'access',
  'faccessat',
  'faccessat2',
  'openat2',
  'readlink',
  'readlinkat',
];

/** @param softLimit how many descriptors the program may have */
export function windowBelow(softLimit: number): DescriptorWindow {
  const high = Math.min(SELECT_LIMIT, softLimit);
  return { low: Math.max(3, high - WINDOW_SIZE), high };
}

/**
 * Makes the filter that wrapped programs run under: it reports the calls that may concern IPVS and lets all others
 * through, those of 32-bit programs and of the x32 ABI too.
 */
export function makeFilter(arch: Architecture, window: DescriptorWindow, proc: ProcMode): Uint8Array {
  const { syscalls } = arch;
  const on = (name: SyscallName, then: string): Instruction[] => {
    const number = syscalls[name];
    return number === undefined ? [] : [ifEqual(number, then)];
  };
  return assemble([
    load(ARCH),
    ifEqual(arch.audit, undefined, 'allow'),
    load(NUMBER),
    ...ON_DESCRIPTORS.flatMap((name) => on(name, 'descriptor')),
    ...on('fcntl', 'fcntl'),
    ...on('socket', 'socket'),
    ...on('getsockopt', 'option'),
    ...on('setsockopt', 'option'),
    ...(proc === 'off' ? [] : [...on('open', 'open'), ...on('openat', 'openat')]),
    ...(proc === 'all' ? pathCalls(on) : []),
    give(VERDICT.ALLOW),
    ...onArguments(window, proc),
    label('allow'),
    give(VERDICT.ALLOW),
    label('notify'),
    give(VERDICT.NOTIFY),
  ]);
}

function pathCalls(on: (name: SyscallName, then: string) => Instruction[]): Instruction[] {
  return [
    ...on('newfstatat', 'newfstatat'),
    ...on('statx', 'statx'),
    ...ON_PATHS.flatMap((name) => on(name, 'notify')),
  ];
}

function onArguments(window: DescriptorWindow, proc: ProcMode): Instruction[] {
  return [
    label('fcntl'),
    load(argument(1)),
    ifEqual(F_DUPFD, 'descriptor'),
    ifEqual(F_DUPFD_CLOEXEC, 'descriptor', 'allow'),
    label('descriptor'),
    load(argument(0)),
    ifAtLeast(window.high, 'allow'),
    ifAtLeast(window.low, 'notify', 'allow'),
    label('socket'),
    load(argument(0)),
    ifEqual(AF_NETLINK, undefined, 'allow'),
    load(argument(2)),
    ifEqual(NETLINK_GENERIC, 'notify', 'allow'),
    label('option'),
    load(argument(1)),
    ifEqual(0, undefined, 'allow'),
    load(argument(2)),
    ifAtLeast(SOCKOPT_BASE + SOCKOPT_COUNT, 'allow'),
    ifAtLeast(SOCKOPT_BASE, 'notify', 'allow'),
    ...onOpen(proc),
  ];
}

/** The dynamic loader opens its many files with O_CLOEXEC, fopen() without. */
function onOpen(proc: ProcMode): Instruction[] {
  if (proc === 'off') return [];
  const look = (name: string, flags: number): Instruction[] => [
    label(name),
    load(argument(flags)),
    and(O_CLOEXEC | O_ACCMODE | O_CREAT),
    ifEqual(O_CLOEXEC, 'allow', 'notify'),
  ];
  if (proc === 'fopen') return [...look('open', 1), ...look('openat', 2)];
  const byFlags = (name: string, flags: number): Instruction[] => [
    label(name),
    load(argument(flags)),
    and(AT_EMPTY_PATH),
    ifEqual(0, 'notify', 'allow'),
  ];
  return [
    ...byFlags('newfstatat', 3),
    ...byFlags('statx', 2),
    label('open'),
    label('openat'),
    give(VERDICT.NOTIFY),
  ];
}
