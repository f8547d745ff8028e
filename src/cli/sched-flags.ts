import { SERVICE_FLAG } from '../core/config.ts';
import { refuse } from './usage-error.ts';

export interface FlagName {
  readonly name: string;
  readonly bit: number;
  /** The one scheduler that knows the flag by this name; `undefined` for the general names. */
  readonly scheduler?: string;
}

/** Names of the scheduler flags, in the order in which they are written. */
export const FLAG_NAMES: readonly FlagName[] = [
  { name: 'sh-fallback', bit: SERVICE_FLAG.SCHED_1, scheduler: 'sh' },
  { name: 'sh-port', bit: SERVICE_FLAG.SCHED_2, scheduler: 'sh' },
  { name: 'mh-fallback', bit: SERVICE_FLAG.SCHED_1, scheduler: 'mh' },
  { name: 'mh-port', bit: SERVICE_FLAG.SCHED_2, scheduler: 'mh' },
  { name: 'flag-1', bit: SERVICE_FLAG.SCHED_1 },
  { name: 'flag-2', bit: SERVICE_FLAG.SCHED_2 },
  { name: 'flag-3', bit: SERVICE_FLAG.SCHED_3 },
];

const ANY_FLAG = SERVICE_FLAG.SCHED_1 | SERVICE_FLAG.SCHED_2 | SERVICE_FLAG.SCHED_3;

/**
 * Reads a comma-separated list of scheduler flags; empty items count for nothing.
 *
 * @returns bits of SERVICE_FLAG
 * @throws UsageError for an unknown flag, one of another scheduler, and a list of nothing but commas
 */
export function parseSchedFlags(text: string, scheduler: string): number {
  const items = text.split(',').filter((item) => item !== '');
  // The real program dies of such a list.
  if (items.length === 0 && text !== '') throw refuse(`invalid scheduler flag \`${text}'`);
  let bits = 0;
  for (const item of items) {
    const flag = FLAG_NAMES.find(({ name }) => name === item);
    if (!flag) throw refuse(`invalid scheduler flag \`${item}'`);
    if (flag.scheduler !== undefined && flag.scheduler !== scheduler) {
      throw refuse(`incompatible scheduler flag \`${item}'`);
    }
    bits |= flag.bit;
  }
  return bits;
}

/**
 * Writes the scheduler flags of a flags word. sh and mh have names of their own for two of them, and none for the third.
 *
 * @returns `undefined` if no flag is set
 */
export function formatSchedFlags(flags: number, scheduler: string): string | undefined {
  if ((flags & ANY_FLAG) === 0) return undefined;
  const own = FLAG_NAMES.filter((flag) => flag.scheduler === scheduler);
  const names = own.length > 0 ? own : FLAG_NAMES.filter((flag) => flag.scheduler === undefined);
  return names
    .filter((flag) => (flags & flag.bit) !== 0)
    .map((flag) => flag.name)
    .join(',');
}
