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
