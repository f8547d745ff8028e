/*
 * A record of format 1. Offsets in bytes from its start; numbers are big-endian. Records start at multiples of four:
 * zeros stand before them, never behind the last one.
 *
 *   0 type | 1 protocol | 2 record version (4 bits), length (12 bits) | 4 flags | 8 state | 10 cport | 12 vport |
 *   14 dport | 16 fwmark | 20 timeout | 24 caddr, vaddr, daddr: 4 or 16 bytes each | options
 */
import { type Address, AF_INET, AF_INET6, addressFromBytes, type Family } from '../../core/address.ts';
import { CONN_FLAG } from '../../core/conn-flags.ts';
import type { SyncRecord } from '../../core/sync-record.ts';
import { setU16, setU32, u16, u32 } from '../../core/wire/bytes.ts';
import { emitOptions, type OptionFault, optionsLength, parseOptions } from './options.ts';

const TYPE = 0;
const PROTOCOL = 1;
const VERSION_LENGTH = 2;
const FLAGS = 4;
const STATE = 8;
const CPORT = 10;
const VPORT = 12;
const DPORT = 14;
const FWMARK = 16;
const TIMEOUT = 20;
const ADDRESSES = 24;

/** Of the type: addresses are IPv6; then its other bits mean nothing. */
const IS_IPV6 = 1;
const LENGTH_MASK = 0xfff;
const VERSION_SHIFT = 12;
const LENGTH_V4 = 36;
const LENGTH_V6 = 72;

/** `truncated`, `bad_version` and `bad_type` end the reading of a message, as `bad_option` does. */
export type RecordFault = 'truncated' | 'bad_version' | 'bad_type' | OptionFault;

/** Where the record that is written after `end` bytes of a message starts. */
export const startAfter = (end: number): number => (end + 3) & ~3;

/** @returns bytes of the record at `at`, or why the message cannot be read on */
export function recordLengthAt(b: Uint8Array, at: number): number | RecordFault {
  if (b.length - at < LENGTH_V4) return 'truncated';
  const head = u16(b, at + VERSION_LENGTH);
  const length = head & LENGTH_MASK;
  if (length > b.length - at) return 'truncated';
  if (head >>> VERSION_SHIFT !== 0) return 'bad_version';
  const type = b[at + TYPE]!;
  if ((type & IS_IPV6) === 0 && type !== 0) return 'bad_type';
  return length < fixedLength(familyAt(b, at)) ? 'truncated' : length;
}

/** @param length what `recordLengthAt` said */
export function parseRecord(b: Uint8Array, at: number, length: number): SyncRecord | OptionFault {
  const family = familyAt(b, at);
  const options = parseOptions(b, at + fixedLength(family), at + length);
  if (typeof options === 'string') return options;
  const size = addressSize(family);
  const addresses = at + ADDRESSES;
  return {
    protocol: b[at + PROTOCOL]!,
    flags: u32(b, at + FLAGS),
    state: u16(b, at + STATE),
    cport: u16(b, at + CPORT),
    vport: u16(b, at + VPORT),
    dport: u16(b, at + DPORT),
    fwmark: u32(b, at + FWMARK),
    timeoutSec: u32(b, at + TIMEOUT),
    caddr: addressFromBytes(family, b, addresses),
    vaddr: addressFromBytes(family, b, addresses + size),
    daddr: addressFromBytes(family, b, addresses + 2 * size),
    sequences: options.sequences,
    peName: options.peName,
    peData: options.peData,
  };
}

/** Bytes that a record takes, without zeros before it. */
export const recordLength = (record: SyncRecord): number =>
  fixedLength(record.caddr.family) + optionsLength(record);

/** Writes a record, without the flag HASHED. @param length of `recordLength` */
export function emitRecord(b: Uint8Array, at: number, record: SyncRecord, length: number): void {
  const { family } = record.caddr;
  b[at + TYPE] = family === AF_INET6 ? IS_IPV6 : 0;
  b[at + PROTOCOL] = record.protocol;
  setU16(b, at + VERSION_LENGTH, length);
  setU32(b, at + FLAGS, record.flags & ~CONN_FLAG.HASHED);
  setU16(b, at + STATE, record.state);
  setU16(b, at + CPORT, record.cport);
  setU16(b, at + VPORT, record.vport);
  setU16(b, at + DPORT, record.dport);
  setU32(b, at + FWMARK, record.fwmark);
  setU32(b, at + TIMEOUT, record.timeoutSec);
  const size = addressSize(family);
  emitAddress(b, at + ADDRESSES, record.caddr);
  emitAddress(b, at + ADDRESSES + size, record.vaddr);
  emitAddress(b, at + ADDRESSES + 2 * size, record.daddr);
  emitOptions(b, at + ADDRESSES + 3 * size, record);
}

export function emitAddress(b: Uint8Array, at: number, { family, words }: Address): void {
  setU32(b, at, words[0]);
  if (family === AF_INET) return;
  setU32(b, at + 4, words[1]);
  setU32(b, at + 8, words[2]);
  setU32(b, at + 12, words[3]);
}

const familyAt = (b: Uint8Array, at: number): Family =>
  (b[at + TYPE]! & IS_IPV6) !== 0 ? AF_INET6 : AF_INET;

const fixedLength = (family: Family): number => (family === AF_INET ? LENGTH_V4 : LENGTH_V6);

const addressSize = (family: Family): number => (family === AF_INET ? 4 : 16);
