/*
 * A record of format 0, IPv4 only. Offsets in bytes from its start; numbers are big-endian but for those of the
 * sequence adjustment, which are as the sender's processor has them.
 *
 *   0 zero | 1 protocol | 2 cport | 4 vport | 6 dport | 8 caddr | 12 vaddr | 16 daddr | 20 flags | 22 state |
 *   with the flag IN_SEQ or OUT_SEQ: 24 bytes of sequence adjustment
 */
import { AF_INET, addressFromBytes } from '../../core/address.ts';
import { CONN_FLAG } from '../../core/conn-flags.ts';
import type { SequenceShifts, SyncRecord } from '../../core/sync-record.ts';
import { setU16, u16 } from '../../core/wire/bytes.ts';
import { SEQUENCES_LEN, sequencesOf, sequenceValues } from './options.ts';
import { emitAddress } from './record-v1.ts';

const PROTOCOL = 1;
const CPORT = 2;
const VPORT = 4;
const DPORT = 6;
const CADDR = 8;
const VADDR = 12;
const DADDR = 16;
const FLAGS = 20;
const STATE = 22;
const SEQUENCES = 24;

const LENGTH = 24;
const SEQUENCE_FLAGS = CONN_FLAG.IN_SEQ | CONN_FLAG.OUT_SEQ;
const NO_SHIFTS = sequencesOf([0, 0, 0, 0, 0, 0]);

/** @returns bytes of the record at `at`, or `undefined` if it does not fit */
export function recordLengthAtV0(b: Uint8Array, at: number): number | undefined {
  if (b.length - at < LENGTH) return undefined;
  const length = lengthFor(u16(b, at + FLAGS));
  return b.length - at < length ? undefined : length;
}

/** A record that `recordLengthAtV0` found. */
export function parseRecordV0(b: Uint8Array, at: number): SyncRecord {
  const flags = u16(b, at + FLAGS);
  return {
    protocol: b[at + PROTOCOL]!,
    flags,
    state: u16(b, at + STATE),
    cport: u16(b, at + CPORT),
    vport: u16(b, at + VPORT),
    dport: u16(b, at + DPORT),
    fwmark: 0,
    timeoutSec: 0,
    caddr: addressFromBytes(AF_INET, b, at + CADDR),
    vaddr: addressFromBytes(AF_INET, b, at + VADDR),
    daddr: addressFromBytes(AF_INET, b, at + DADDR),
    sequences: (flags & SEQUENCE_FLAGS) !== 0 ? parseSequences(b, at + SEQUENCES) : undefined,
    peName: '',
    peData: '',
  };
}

export const recordLengthV0 = (record: SyncRecord): number => lengthFor(record.flags);

/** Writes an IPv4 record, without the flag HASHED. */
export function emitRecordV0(b: Uint8Array, at: number, record: SyncRecord): void {
  b[at] = 0;
  b[at + PROTOCOL] = record.protocol;
  setU16(b, at + CPORT, record.cport);
  setU16(b, at + VPORT, record.vport);
  setU16(b, at + DPORT, record.dport);
  emitAddress(b, at + CADDR, record.caddr);
  emitAddress(b, at + VADDR, record.vaddr);
  emitAddress(b, at + DADDR, record.daddr);
  setU16(b, at + FLAGS, record.flags & ~CONN_FLAG.HASHED);
  setU16(b, at + STATE, record.state);
  if ((record.flags & SEQUENCE_FLAGS) !== 0) emitSequences(b, at + SEQUENCES, record.sequences ?? NO_SHIFTS);
}

const lengthFor = (flags: number): number => LENGTH + ((flags & SEQUENCE_FLAGS) !== 0 ? SEQUENCES_LEN : 0);

/** Every processor that Node runs on here is little-endian. */
function parseSequences(b: Uint8Array, at: number): SequenceShifts {
  const view = new DataView(b.buffer, b.byteOffset + at, SEQUENCES_LEN);
  return sequencesOf(Array.from({ length: 6 }, (_, n) => view.getInt32(4 * n, true)));
}

function emitSequences(b: Uint8Array, at: number, shifts: SequenceShifts): void {
  const view = new DataView(b.buffer, b.byteOffset + at, SEQUENCES_LEN);
  for (const [n, value] of sequenceValues(shifts).entries()) view.setInt32(4 * n, value, true);
}
