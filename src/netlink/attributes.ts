import { decodeUtf8 } from './utf8.ts';
import { attributeBytes, type RawAttribute, readRawAttributes } from './wire.ts';

/**
 * What a value must look like: an integer of at least that many bytes (the rest is ignored, as the kernel does), raw
 * bytes up to or from a length, NUL-terminated text up to `max` bytes without the NUL, nested attributes.
 */
export type Rule =
  | { readonly kind: 'integer'; readonly size: 1 | 2 | 4 | 8 }
  | { readonly kind: 'bytes'; readonly min?: number; readonly max?: number }
  | { readonly kind: 'text'; readonly max: number }
  | { readonly kind: 'nested' };

/** Rules by attribute number. An attribute that has none is ignored. */
export type Policy = Readonly<Record<number, Rule>>;

export const U8: Rule = { kind: 'integer', size: 1 };
export const U16: Rule = { kind: 'integer', size: 2 };
export const U32: Rule = { kind: 'integer', size: 4 };
export const U64: Rule = { kind: 'integer', size: 8 };
export const NESTED: Rule = { kind: 'nested' };

/** Attributes that passed a policy, by number; of several with one number the last counts. */
export class Attributes {
  private readonly all: readonly RawAttribute[];

  constructor(all: readonly RawAttribute[]) {
    this.all = all;
  }

  /** True if every one of the attributes is there. */
  has(...types: readonly number[]): boolean {
    return types.every((type) => this.find(type) !== undefined);
  }

  /** @returns the value, or `undefined` if the attribute is missing. */
  bytes(type: number): Uint8Array | undefined {
    const found = this.find(type);
    return found && attributeBytes(found);
  }

  /** @returns the first `length` bytes, with zeros for what is missing. */
  padded(type: number, length: number): Uint8Array {
    const out = new Uint8Array(length);
    out.set((this.bytes(type) ?? out).subarray(0, length));
    return out;
  }

  /** Integers read as 0 where the attribute is missing. */
  u8(type: number): number {
    return this.littleEndian(type, 1);
  }

  u16(type: number): number {
    return this.littleEndian(type, 2);
  }

  be16(type: number): number {
    return this.bigEndian(type, 2);
  }

  u32(type: number): number {
    return this.littleEndian(type, 4);
  }

  be32(type: number): number {
    return this.bigEndian(type, 4);
  }

  i32(type: number): number {
    return this.u32(type) | 0;
  }

  /** Exact up to 2^53. */
  u64(type: number): number {
    return this.littleEndian(type, 8);
  }

  /** @returns the text up to its NUL, '' if the attribute is missing. */
  text(type: number): string {
    const bytes = this.bytes(type) ?? new Uint8Array(0);
    const end = bytes.indexOf(0);
    return decodeUtf8(end < 0 ? bytes : bytes.subarray(0, end));
  }

  /** @returns the text whose UTF-8 bytes are spread over all attributes of that number. */
  joinedText(type: number): string {
    const parts = this.all.filter((attribute) => attribute.type === type);
    const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const part of parts) {
      bytes.set(attributeBytes(part), at);
      at += part.length;
    }
    return decodeUtf8(bytes);
  }

  /** @returns the attributes within attribute `type`; none if it is missing or breaks the policy. */
  nested(type: number, policy: Policy): Attributes {
    const inner = readAttributes(this.bytes(type) ?? new Uint8Array(0), policy);
    return typeof inner === 'string' ? new Attributes([]) : inner;
  }

  private find(type: number): RawAttribute | undefined {
    for (let i = this.all.length - 1; i >= 0; i--) if (this.all[i]!.type === type) return this.all[i];
    return undefined;
  }

  private littleEndian(type: number, size: number): number {
    const found = this.find(type);
    if (!found) return 0;
    let value = 0;
    for (let i = Math.min(size, found.length) - 1; i >= 0; i--)
      value = value * 256 + found.source[found.at + i]!;
    return value;
  }

  private bigEndian(type: number, size: number): number {
    const found = this.find(type);
    if (!found) return 0;
    let value = 0;
    for (let i = 0; i < size; i++) value = value * 256 + (i < found.length ? found.source[found.at + i]! : 0);
    return value;
  }
}

/**
 * Reads attributes by the kernel's lenient rules: unknown numbers, trailing bytes and longer integers are accepted.
 * @returns the errno of the first attribute that breaks its rule.
 */
export function readAttributes(bytes: Uint8Array, policy: Policy): Attributes | 'EINVAL' | 'ERANGE' {
  const known = readRawAttributes(bytes).filter(({ type }) => policy[type] !== undefined);
  for (const attribute of known) {
    const problem = check(attribute, policy[attribute.type]!);
    if (problem) return problem;
  }
  return new Attributes(known);
}

function check(attribute: RawAttribute, rule: Rule): 'EINVAL' | 'ERANGE' | undefined {
  const { length } = attribute;
  switch (rule.kind) {
    case 'integer':
      return length < rule.size ? 'ERANGE' : undefined;
    case 'bytes':
      return length < (rule.min ?? 0) || length > (rule.max ?? Infinity) ? 'ERANGE' : undefined;
    case 'nested':
      return length > 0 && length < 4 ? 'ERANGE' : undefined;
    case 'text':
      return checkText(attributeBytes(attribute), rule.max);
  }
}

function checkText(value: Uint8Array, max: number): 'EINVAL' | 'ERANGE' | undefined {
  if (!value.subarray(0, max + 1).includes(0)) return 'EINVAL';
  const length = value.at(-1) === 0 ? value.length - 1 : value.length;
  return length > max ? 'ERANGE' : undefined;
}
