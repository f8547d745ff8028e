/** Address families as the kernel numbers them. */
export const AF_INET = 2;
export const AF_INET6 = 10;

export type Family = typeof AF_INET | typeof AF_INET6;

/**
 * An IP address as four int32 words in network order (`0x0A000001 | 0` is 10.0.0.1).
 * IPv4 uses the first word; the other three are 0.
 */
export interface Address {
  readonly family: Family;
  readonly words: readonly [number, number, number, number];
}

export const ipv4 = (word: number): Address => ({ family: AF_INET, words: [word | 0, 0, 0, 0] });

export const ipv6 = (a: number, b: number, c: number, d: number): Address => ({
  family: AF_INET6,
  words: [a | 0, b | 0, c | 0, d | 0],
});

export function sameAddress(a: Address, b: Address): boolean {
  return (
    a.family === b.family &&
    a.words[0] === b.words[0] &&
    a.words[1] === b.words[1] &&
    a.words[2] === b.words[2] &&
    a.words[3] === b.words[3]
  );
}

export const isUnspecified = (a: Address): boolean =>
  (a.words[0] | a.words[1] | a.words[2] | a.words[3]) === 0;

/** @returns 4 bytes (IPv4) or 16 bytes (IPv6) in network order. */
export function addressBytes(a: Address): Uint8Array {
  const bytes = new Uint8Array(a.family === AF_INET ? 4 : 16);
  for (let i = 0; i < bytes.length; i++) bytes[i] = a.words[i >> 2]! >>> (24 - 8 * (i & 3));
  return bytes;
}

/** Reads an address of `family` at `at`; bytes beyond the end of `bytes` count as 0. */
export function addressFromBytes(family: Family, bytes: Uint8Array, at = 0): Address {
  const word = (i: number): number =>
    ((bytes[at + i] ?? 0) << 24) |
    ((bytes[at + i + 1] ?? 0) << 16) |
    ((bytes[at + i + 2] ?? 0) << 8) |
    (bytes[at + i + 3] ?? 0);
  return family === AF_INET ? ipv4(word(0)) : ipv6(word(0), word(4), word(8), word(12));
}

/** Prints an address as inet_ntop(3) does: IPv6 compressed, v4-mapped and v4-compatible with a dotted tail. */
export function formatAddress(a: Address): string {
  return a.family === AF_INET ? formatIpv4(a.words[0]) : formatIpv6(a.words);
}

/** @returns the address written as inet_pton(3) accepts it (no zone, no odd IPv4 forms), or `undefined`. */
export function parseAddress(text: string): Address | undefined {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
}

function formatIpv4(word: number): string {
  return `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`;
}

function formatIpv6(words: Address['words']): string {
  const groups = words.flatMap((word) => [word >>> 16, word & 0xffff]);
  const { start, length } = longestZeroRun(groups);
  const mapped = start === 0 && (length === 6 || (length === 5 && groups[5] === 0xffff));
  if (mapped) return `::${length === 5 ? 'ffff:' : ''}${formatIpv4(words[3])}`;
  const hex = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':');
  return length < 2 ? hex(groups) : `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`;
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: -1, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let end = start;
    while (end < groups.length && groups[end] === 0) end++;
    if (end - start > best.length) best = { start, length: end - start };
    if (end > start) start = end;
  }
  return best;
}

function parseIpv4(text: string): Address | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let word = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    word = (word << 8) | Number(part);
  }
  return ipv4(word);
}

function parseIpv6(text: string): Address | undefined {
  const dotted = /^(.*:)([^:]*\.[^:]*)$/.exec(text);
  const tail = dotted ? parseIpv4(dotted[2]!) : undefined;
  if (dotted && !tail) return undefined;
  const tailGroups = tail ? [tail.words[0] >>> 16, tail.words[0] & 0xffff] : [];
  const head = dotted ? dotted[1]!.replace(/([^:]):$/, '$1') : text;
  const halves = head.split('::');
  if (halves.length > 2) return undefined;
  const left = hexGroups(halves[0]!);
  const right = halves.length === 2 ? hexGroups(halves[1]!) : [];
  if (!left || !right) return undefined;
  const given = left.length + right.length + tailGroups.length;
  const gap = halves.length === 2 ? 8 - given : 0;
  if (halves.length === 2 ? gap < 1 : given !== 8) return undefined;
  const groups = [...left, ...new Array<number>(gap).fill(0), ...right, ...tailGroups];
  const word = (i: number): number => (groups[i]! << 16) | groups[i + 1]!;
  return ipv6(word(0), word(2), word(4), word(6));
}

function hexGroups(text: string): number[] | undefined {
  if (text === '') return [];
  const parts = text.split(':');
  return parts.every((part) => /^[0-9a-fA-F]{1,4}$/.test(part))
    ? parts.map((part) => Number.parseInt(part, 16))
    : undefined;
}
