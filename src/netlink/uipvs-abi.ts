import { type Policy, U32, U64 } from './policy.ts';

/**
 * The family of our own: what the kernel's ABI lacks. Numbers are never reused; a receiver ignores attributes that it
 * does not know, so both sides may grow.
 */
export const UIPVS_FAMILY = { name: 'uipvs', version: 1, maxAttribute: 6 } as const;

/** Version of this protocol as HELLO exchanges it. */
export const PROTOCOL_VERSION = 1;

export const UIPVS_COMMAND = {
  /**
   * do: [PROTOCOL] -> HELLO {PROTOCOL}. From then on the error replies of this session carry a reason as extended
   * acknowledgement.
   */
  HELLO: 1,
  /** do: NAME, [FROM] -> PROC {TEXT, and NEXT if the text goes on}. ENOENT for an unknown name. */
  PROC: 2,
  /** do: NAME -> GET_SYSCTL {NAME, VALUE}; dump: one such message for each. */
  GET_SYSCTL: 3,
  /** do: NAME, VALUE -> nothing. */
  SET_SYSCTL: 4,
  /** do: -> STATUS {TEXT: the status as JSON}. */
  STATUS: 5,
  /** do: TEXT: an ExplainRequest as JSON -> EXPLAIN {TEXT: the explanations as JSON}. */
  EXPLAIN: 6,
} as const;

export const UIPVS_ATTR = {
  /** u32. */
  PROTOCOL: 1,
  /** NUL-terminated, at most 127 bytes. */
  NAME: 2,
  /** NUL-terminated, at most 1023 bytes. */
  VALUE: 3,
  /** u64: where a slice starts. */
  FROM: 4,
  /** u64: the FROM of the following slice. */
  NEXT: 5,
  /** UTF-8 without NUL; several of them are pieces of one text, in order. */
  TEXT: 6,
} as const;

export const UIPVS_POLICY: Policy = {
  [UIPVS_ATTR.PROTOCOL]: U32,
  [UIPVS_ATTR.NAME]: { kind: 'text', max: 127 },
  [UIPVS_ATTR.VALUE]: { kind: 'text', max: 1023 },
  [UIPVS_ATTR.FROM]: U64,
  [UIPVS_ATTR.NEXT]: U64,
  [UIPVS_ATTR.TEXT]: { kind: 'bytes' },
};
