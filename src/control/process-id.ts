import { readFileSync, readlinkSync } from 'node:fs';

/** A process that stays recognisable after its pid was given to another one. */
export interface ProcessId {
  readonly pid: number;
  /** Clock ticks between boot and its start (proc(5), stat field 22). */
  readonly startTicks: string;
  /** Of the kernel's present boot. */
  readonly bootId: string;
  /** The pid namespace in which `pid` counts. */
  readonly namespace: string;
}

/** This process. */
export function ownProcessId(): ProcessId {
  return {
    pid: process.pid,
    startTicks: statFields(process.pid)?.startTicks ?? '?',
    bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    namespace: readlinkSync('/proc/self/ns/pid'),
  };
}

/** @returns whether the process runs, or undefined if that cannot be told from this pid namespace. */
export function isRunning(id: ProcessId): boolean | undefined {
  const own = ownProcessId();
  if (id.bootId !== own.bootId) return false;
  if (id.namespace !== own.namespace) return undefined;
  const found = statFields(id.pid);
  return found !== undefined && found.startTicks === id.startTicks && !'ZX'.includes(found.state);
}

export const formatProcessId = (id: ProcessId): string =>
  `${id.pid} ${id.startTicks} ${id.bootId} ${id.namespace}\n`;

/** @returns undefined for a text that formatProcessId does not make. */
export function parseProcessId(text: string): ProcessId | undefined {
  const match = /^([1-9]\d*) (\d+|\?) (\S+) (\S+)\n$/.exec(text);
  if (!match) return undefined;
  return { pid: Number(match[1]), startTicks: match[2]!, bootId: match[3]!, namespace: match[4]! };
}

/** @returns undefined if there is no such process. */
function statFields(pid: number): { state: string; startTicks: string } | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The second field, the name, may hold spaces and parentheses; what follows its last ')' may not.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '?', startTicks: fields[19] ?? '?' };
}
