import { parseFilter } from './filter.ts';

/** Most bytes on disk unless `max=` says otherwise. */
export const DEFAULT_TRACE_BYTES = 100 * 2 ** 20;
/** Fewer would not hold what is written at once. */
const MIN_TRACE_BYTES = 2 ** 20;

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** What `--pcap FILE[,max=SIZE][,FILTER]` says; plain data, so that it can cross to another thread. */
export interface TraceOptions {
  readonly path: string;
  /** Most bytes of the file and the one before it together. */
  readonly maxBytes: number;
  /** In the language of `parseFilter`; `undefined` for every packet. */
  readonly filter: string | undefined;
}

/** Reads the option's argument; a comma cannot be part of the path. @throws RangeError with a line for people */
export function parseTraceOption(text: string): TraceOptions {
  const [path = '', ...rest] = text.split(',');
  if (path === '') throw new RangeError(`wants FILE[,max=SIZE][,FILTER], not '${text}'`);
  let maxBytes: number | undefined;
  let filter: string | undefined;
  for (const part of rest) {
    const size = /^max=(.*)$/.exec(part)?.[1];
    if (size !== undefined && maxBytes === undefined) maxBytes = readSize(size);
    else if (size === undefined && filter === undefined) filter = part;
    else throw new RangeError(`has more than one ${size === undefined ? 'filter' : 'max='}`);
  }
  if (filter !== undefined) parseFilter(filter);
  return { path, maxBytes: maxBytes ?? DEFAULT_TRACE_BYTES, filter };
}

function readSize(text: string): number {
  const [, digits, unit] = /^(\d{1,12})([kMG]?)$/.exec(text) ?? [];
  const bytes = digits === undefined ? Number.NaN : Number(digits) * UNITS[unit!]!;
  if (bytes >= MIN_TRACE_BYTES) return bytes;
  throw new RangeError(`max= wants a size of 1M or more, such as 64M or 2G, not '${text}'`);
}
