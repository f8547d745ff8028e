import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import type { Native } from '../net/ffi/native.ts';
import type { Architecture } from './abi.ts';

/** Signals that are passed on to the command. */
const FORWARDED: readonly NodeJS.Signals[] = [
  'SIGTERM',
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGCONT',
];
/** Those that a terminal sends to all processes in its foreground, the command among them. */
const OF_TERMINALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT'];
/** The default action of these leaves a core file, which would be ours and not the command's. */
const WITH_CORE: readonly NodeJS.Signals[] = [
  'SIGQUIT',
  'SIGILL',
  'SIGTRAP',
  'SIGABRT',
  'SIGBUS',
  'SIGFPE',
  'SIGSEGV',
  'SIGSYS',
  'SIGXCPU',
  'SIGXFSZ',
];

/** Those that tell a thread of its own fault. */
const OF_FAULTS: readonly NodeJS.Signals[] = ['SIGILL', 'SIGTRAP', 'SIGBUS', 'SIGFPE', 'SIGSEGV'];
/** Numbers 32 and 33, by which the C library speaks to its threads. */
const OF_LIBC = 3n << 31n;
const SIG_SETMASK = 2;
const MASK_LEN = 8;

/**
 * Leaves the signals that this process gets to its other threads. One that came while a descriptor is handed to a program
 * would have the program's call return without it, and the kernel lets nobody try again.
 */
export function shieldThread(native: Native, arch: Architecture): void {
  const open = OF_FAULTS.reduce((mask, name) => mask | (1n << BigInt(constants.signals[name] - 1)), OF_LIBC);
  const memory = native.arena(MASK_LEN);
  memory.bytes.writeBigUInt64LE(BigInt.asUintN(64, ~open), 0);
  native.syscall(arch.syscalls.rt_sigprocmask, SIG_SETMASK, memory.address, 0, MASK_LEN);
  native.release(memory);
}

/** Passes the signals that this process gets on to another one. @returns how to end that */
export function forwardSignals(send: (signal: NodeJS.Signals) => void): () => void {
  const forward = (signal: NodeJS.Signals): void => {
    if (OF_TERMINALS.includes(signal) && isInForeground()) return;
    send(signal);
  };
  for (const signal of FORWARDED) process.on(signal, forward);
  return () => {
    for (const signal of FORWARDED) process.off(signal, forward);
  };
}

/** Ends this process as a signal ended the command, so that a shell sees the same. @returns a status if it still runs */
export function endLike(signal: NodeJS.Signals): number {
  if (!WITH_CORE.includes(signal)) process.kill(process.pid, signal);
  return 128 + constants.signals[signal];
}

/** Whether this process is in the foreground of its terminal (proc(5): pgrp and tpgid of stat). */
function isInForeground(): boolean {
  const stat = readFileSync('/proc/self/stat', 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[2] === fields[5];
}
