import { type Address, addressFromBytes, type Family } from '../core/address.ts';
import { CountersReply, NO_COUNTERS } from './counters-reply.ts';
import type { Policy, Rule } from './policy.ts';
import { decodeUtf8 } from './utf8.ts';
import {
  ATTRIBUTE_HEADER_LEN,
  align4,
  attributeLength,
  attributeType,
  be16At,
  be32At,
  u16At,
  u32At,
  u64At,
} from './wire.ts';

const MISSING = -1;
const NO_BYTES = new Uint8Array(0);

/** Why attributes are refused. */
export type AttributeErrno = 'EINVAL' | 'ERANGE';

/** Attributes that passed a policy, by number, where they stand; of several with one number the last counts. */
export class Attributes {
  private readonly source: Uint8Array;
  private readonly start: number;
  private readonly end: number;
  /** By attribute number: where its value starts, and the bytes it has. */
  private readonly starts: number[] = [];
  private readonly lengths: number[] = [];

  /** None are known before `read`. */
  constructor(source: Uint8Array, start: number, end: number) {
    this.source = source;
    this.start = start;
    this.end = end;
  }

  /** @returns the errno of the first attribute that breaks its rule. */
  read(policy: Policy): AttributeErrno | undefined {
    const { source, end } = this;
    let whole = attributeLength(source, this.start, end);
    for (let at = this.start; whole > 0; whole = attributeLength(source, at, end)) {
      const type = attributeType(source, at);
      const rule = policy[type];
      if (rule !== undefined) {
        const length = whole - ATTRIBUTE_HEADER_LEN;
        const problem = check(rule, source, at + ATTRIBUTE_HEADER_LEN, length);
        if (problem !== undefined) return problem;
        this.starts[type] = at + ATTRIBUTE_HEADER_LEN;
        this.lengths[type] = length;
      }
      at += align4(whole);
    }
    return undefined;
  }

  /** True if every one of the attributes is there. */
  has(...types: readonly number[]): boolean {
    return types.every((type) => this.startOf(type) !== MISSING);
  }

  /** @returns the value, or `undefined` if the attribute is missing. */
  bytes(type: number): Uint8Array | undefined {
    const start = this.startOf(type);
    return start === MISSING ? undefined : this.source.subarray(start, start + this.lengths[type]!);
  }

  /** @returns the first `length` bytes, with zeros for what is missing. */
  padded(type: number, length: number): Uint8Array {
    const out = new Uint8Array(length);
    out.set((this.bytes(type) ?? out).subarray(0, length));
    return out;
  }

  /** Integers read as 0 where the attribute is missing. Their rule must be that of an integer at least as long. */
  u8(type: number): number {
    const at = this.startOf(type);
    return at === MISSING ? 0 : this.source[at]!;
  }

  u16(type: number): number {
    const at = this.startOf(type);
    return at === MISSING ? 0 : u16At(this.source, at);
  }

  be16(type: number): number {
    const at = this.startOf(type);
    return at === MISSING ? 0 : be16At(this.source, at);
  }

  u32(type: number): number {
    const at = this.startOf(type);
    return at === MISSING ? 0 : u32At(this.source, at);
  }

  i32(type: number): number {
    return this.u32(type) | 0;
  }

  be32(type: number): number {
    const at = this.startOf(type);
    return at === MISSING ? 0 : be32At(this.source, at);
  }

  /** Exact up to 2^53. */
  u64(type: number): number {
    const at = this.startOf(type);
    return at === MISSING ? 0 : u64At(this.source, at);
  }

  /** @returns the address, which is in network order; bytes that are missing count as 0. */
  address(type: number, family: Family): Address {
    return addressFromBytes(family, this.bytes(type) ?? NO_BYTES);
  }

  /** @returns the counters in the value of attribute `type`; they stay where they are. */
  counters(type: number): CountersReply {
    const at = this.startOf(type);
    return at === MISSING ? NO_COUNTERS : new CountersReply(this.source, at, at + this.lengths[type]!);
  }

  /** @returns the text up to its NUL, '' if the attribute is missing. */
  text(type: number): string {
    const bytes = this.bytes(type) ?? NO_BYTES;
    const end = bytes.indexOf(0);
    return decodeUtf8(end < 0 ? bytes : bytes.subarray(0, end));
  }

  /** @returns the text whose UTF-8 bytes are spread over all attributes of that number. */
  joinedText(type: number): string {
    const { source, end } = this;
    const parts: Uint8Array[] = [];
    let whole = attributeLength(source, this.start, end);
    for (let at = this.start; whole > 0; whole = attributeLength(source, at, end)) {
      if (attributeType(source, at) === type) {
        parts.push(source.subarray(at + ATTRIBUTE_HEADER_LEN, at + whole));
      }
      at += align4(whole);
    }
    return decodeUtf8(parts.length === 1 ? parts[0]! : joined(parts));
  }

  private startOf(type: number): number {
    return this.starts[type] ?? MISSING;
  }
}

/**
 * Reads attributes by the kernel's lenient rules: unknown numbers, trailing bytes and longer integers are accepted.
 * Like nla_for_each_attr it ends at the first attribute that does not fit.
 * @param start where they start in `bytes`, and `end` where they end
 * @returns the errno of the first attribute that breaks its rule.
 */
export function readAttributes(
  bytes: Uint8Array,
  policy: Policy,
  start = 0,
  end = bytes.length,
): Attributes | AttributeErrno {
  const attributes = new Attributes(bytes, start, end);
  return attributes.read(policy) ?? attributes;
}

function check(rule: Rule, source: Uint8Array, at: number, length: number): AttributeErrno | undefined {
  switch (rule.kind) {
    case 'integer':
      return length < rule.size ? 'ERANGE' : undefined;
    case 'bytes':
      return length < (rule.min ?? 0) || length > (rule.max ?? Infinity) ? 'ERANGE' : undefined;
    case 'nested':
      return length > 0 && length < ATTRIBUTE_HEADER_LEN ? 'ERANGE' : undefined;
    case 'text':
      return checkText(source.subarray(at, at + length), rule.max);
  }
}

function checkText(value: Uint8Array, max: number): AttributeErrno | undefined {
  if (!value.subarray(0, max + 1).includes(0)) return 'EINVAL';
  const length = value.at(-1) === 0 ? value.length - 1 : value.length;
  return length > max ? 'ERANGE' : undefined;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
