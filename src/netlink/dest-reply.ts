import { type Address, AF_INET, addressFromBytes, type Family, ipv4 } from '../core/address.ts';
import type { DestEntry } from '../core/config.ts';
import { CountersReply, NO_COUNTERS } from './counters-reply.ts';
import { ATTR, DEST, DEST_POLICY } from './ipvs-abi.ts';
import { knownFamily, METHOD_MASK } from './requests.ts';
import {
  ATTRIBUTE_HEADER_LEN,
  align4,
  attributeLength,
  attributeType,
  be32At,
  TYPE_MASK,
  u16At,
} from './wire.ts';

const ADDRESS_LEN = 16;
/** An attribute's length is a u16. */
const MAX_LENGTH = 65535;

/** By attribute number: bytes of an integer, 0 for what is none. */
const SIZES = Array.from({ length: DEST.TUN_FLAGS + 1 }, (_, type) => integerSize(type));
/** By attribute number: the bytes it may have, its header included. */
const LEAST = SIZES.map((size) => ATTRIBUTE_HEADER_LEN + size);
const MOST = SIZES.map((_, type) => (type === DEST.ADDR ? ATTRIBUTE_HEADER_LEN + ADDRESS_LEN : MAX_LENGTH));
/** By attribute number: which bits of the four bytes at its value are an integer's. */
const MASKS = SIZES.map((size) => (size === 4 ? -1 : (1 << (size * 8)) - 1));

/** Scratch space, by attribute number: where the value starts, or 0, and the value of an integer. */
const starts = SIZES.map(() => 0);
const values = SIZES.map(() => 0);

/**
 * Reads a destination from the attributes of a reply, `source` from `start` to `end`.
 * @returns `undefined` for a malformed one
 */
export function readDestReply(source: Uint8Array, start: number, end: number): DestEntry | undefined {
  let dest: DestEntry | undefined;
  let length = attributeLength(source, start, end);
  for (let at = start; length > 0; length = attributeLength(source, at, end)) {
    if (attributeType(source, at) === ATTR.DEST) {
      dest = readDest(source, at + ATTRIBUTE_HEADER_LEN, at + length);
    }
    at += align4(length);
  }
  return dest;
}

/**
 * Reads a destination from the value of its attribute, `source` from `start` to `end`, in one pass. `Attributes` would
 * do, but a program that lists once runs it before it is compiled: 5,000 destinations took it twice as long. STATS, which
 * it does not read, it does not check.
 * @returns `undefined` for a malformed one
 */
function readDest(source: Uint8Array, start: number, end: number): DestEntry | undefined {
  starts.fill(0);
  values.fill(0);
  for (let at = start; end - at >= ATTRIBUTE_HEADER_LEN; ) {
    const length = source[at]! | (source[at + 1]! << 8);
    if (length < ATTRIBUTE_HEADER_LEN || length > end - at) break;
    const type = (source[at + 2]! | (source[at + 3]! << 8)) & TYPE_MASK;
    if (type < SIZES.length) {
      const value = at + ATTRIBUTE_HEADER_LEN;
      if (length < LEAST[type]! || length > MOST[type]!) return undefined;
      const high = (source[value + 2]! << 16) | (source[value + 3]! << 24);
      values[type] = ((source[value]! | (source[value + 1]! << 8) | high) & MASKS[type]!) >>> 0;
      starts[type] = value;
    }
    at += (length + 3) & ~3;
  }
  const family = knownFamily(values[DEST.ADDR_FAMILY]! || AF_INET);
  if (family === undefined) return undefined;
  return {
    addr: readAddress(family, source),
    port: swap16(values[DEST.PORT]!),
    weight: values[DEST.WEIGHT]! | 0,
    method: values[DEST.FWD_METHOD]! & METHOD_MASK,
    upperThreshold: values[DEST.U_THRESH]!,
    lowerThreshold: values[DEST.L_THRESH]!,
    tunnelType: values[DEST.TUN_TYPE]!,
    tunnelPort: swap16(values[DEST.TUN_PORT]!),
    tunnelFlags: values[DEST.TUN_FLAGS]!,
    active: values[DEST.ACTIVE_CONNS]!,
    inactive: values[DEST.INACT_CONNS]!,
    persistent: values[DEST.PERSIST_CONNS]!,
    stats: readCounters(source),
  };
}

function integerSize(type: number): number {
  const rule = DEST_POLICY[type];
  return rule?.kind === 'integer' ? rule.size : 0;
}

/** Ports are in network order. */
const swap16 = (value: number): number => ((value & 255) << 8) | (value >>> 8);

function readAddress(family: Family, source: Uint8Array): Address {
  const start = starts[DEST.ADDR]!;
  const length = start === 0 ? 0 : valueLength(source, start);
  if (family === AF_INET && length >= 4) return ipv4(be32At(source, start));
  return addressFromBytes(family, source.subarray(start, start + length));
}

function readCounters(source: Uint8Array): CountersReply {
  const start = starts[DEST.STATS64]!;
  return start === 0 ? NO_COUNTERS : new CountersReply(source, start, start + valueLength(source, start));
}

const valueLength = (source: Uint8Array, start: number): number =>
  u16At(source, start - ATTRIBUTE_HEADER_LEN) - ATTRIBUTE_HEADER_LEN;
