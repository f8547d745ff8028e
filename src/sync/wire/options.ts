/*
 * Options behind a record of format 1: type, length of the data, data; none is aligned.
 */
import type { SequenceShift, SequenceShifts, SyncRecord } from '../../core/sync-record.ts';
import { i32, setU32 } from '../../core/wire/bytes.ts';

const OPTION = { SEQUENCES: 1, PE_DATA: 2, PE_NAME: 3 } as const;
/** Of the type: a receiver that does not know the option may pass over it. */
const MAY_BE_IGNORED = 0x40;
const HEAD_LEN = 2;

export const SEQUENCES_LEN = 24;
const MAX_PE_DATA = 255;
const MAX_PE_NAME = 16;

/** What options tell of a record. */
export type Options = Pick<SyncRecord, 'sequences' | 'peName' | 'peData'>;

const NO_OPTIONS: Options = { sequences: undefined, peName: '', peData: '' };

/** `bad_option`: malformed, the rest of the message with it. `unknown_option`: the record is not to be taken. */
export type OptionFault = 'bad_option' | 'unknown_option';

/** Reads options from `at` up to `end`. */
export function parseOptions(b: Uint8Array, at: number, end: number): Options | OptionFault {
  if (at === end) return NO_OPTIONS;
  const found: Found = { ...NO_OPTIONS };
  while (at < end) {
    if (end - at < HEAD_LEN) return 'bad_option';
    const type = b[at]!;
    const length = b[at + 1]!;
    const data = at + HEAD_LEN;
    at = data + length;
    if (length === 0 || at > end) return 'bad_option';
    const fault = takeOption(found, type, b, data, length);
    if (fault !== undefined) return fault;
  }
  return found;
}

type Found = { -readonly [key in keyof Options]: Options[key] };

/** Each option may be there once. */
function takeOption(
  found: Found,
  type: number,
  b: Uint8Array,
  data: number,
  length: number,
): OptionFault | undefined {
  switch (type & ~MAY_BE_IGNORED) {
    case OPTION.SEQUENCES:
      if (length !== SEQUENCES_LEN || found.sequences !== undefined) return 'bad_option';
      found.sequences = parseSequences(b, data);
      return undefined;
    case OPTION.PE_DATA:
      if (found.peData !== '') return 'bad_option';
      found.peData = textAt(b, data, length);
      return undefined;
    case OPTION.PE_NAME:
      if (length > MAX_PE_NAME || found.peName !== '') return 'bad_option';
      found.peName = textAt(b, data, length);
      return undefined;
    default:
      return (type & MAY_BE_IGNORED) === 0 ? 'unknown_option' : undefined;
  }
}

/** Bytes that the options of a record take. */
export const optionsLength = ({ sequences, peName, peData }: Options): number =>
  (sequences ? HEAD_LEN + SEQUENCES_LEN : 0) +
  textLength(peData, MAX_PE_DATA) +
  textLength(peName, MAX_PE_NAME);

export function emitOptions(b: Uint8Array, at: number, { sequences, peName, peData }: Options): void {
  if (sequences) {
    b[at] = OPTION.SEQUENCES;
    b[at + 1] = SEQUENCES_LEN;
    for (const [n, value] of sequenceValues(sequences).entries()) setU32(b, at + HEAD_LEN + 4 * n, value);
    at += HEAD_LEN + SEQUENCES_LEN;
  }
  at = emitText(b, at, OPTION.PE_DATA, peData, MAX_PE_DATA);
  emitText(b, at, OPTION.PE_NAME, peName, MAX_PE_NAME);
}

/** The six numbers in the order of the wire. */
export const sequenceValues = ({ in: a, out: b }: SequenceShifts): readonly number[] => [
  a.initial,
  a.delta,
  a.previousDelta,
  b.initial,
  b.delta,
  b.previousDelta,
];

/** @param values six numbers in the order of the wire */
export function sequencesOf(values: readonly number[]): SequenceShifts {
  const shift = (n: number): SequenceShift => ({
    initial: values[n]!,
    delta: values[n + 1]!,
    previousDelta: values[n + 2]!,
  });
  return { in: shift(0), out: shift(3) };
}

const parseSequences = (b: Uint8Array, at: number): SequenceShifts =>
  sequencesOf(Array.from({ length: 6 }, (_, n) => i32(b, at + 4 * n)));

const textLength = (text: string, most: number): number =>
  text === '' ? 0 : HEAD_LEN + Math.min(text.length, most);

function emitText(b: Uint8Array, at: number, type: number, text: string, most: number): number {
  if (text === '') return at;
  const length = Math.min(text.length, most);
  b[at] = type;
  b[at + 1] = length;
  for (let n = 0; n < length; n++) b[at + HEAD_LEN + n] = text.charCodeAt(n);
  return at + HEAD_LEN + length;
}

function textAt(b: Uint8Array, at: number, length: number): string {
  let text = '';
  for (let n = 0; n < length; n++) text += String.fromCharCode(b[at + n]!);
  return text;
}
