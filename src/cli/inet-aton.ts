import { type Address, ipv4 } from '../core/address.ts';

/** Largest last part of an address that has 1, 2, 3 or 4 parts. */
const LAST_PART_MAX = [0xffffffff, 0xffffff, 0xffff, 0xff];

/**
 * Reads an IPv4 address as glibc's inet_aton(3) does: one to four parts, each decimal, octal (leading 0) or
 * hexadecimal (leading 0x), the last one filling the bytes that are left; anything may follow after a blank.
 */
export function inetAton(text: string): Address | undefined {
  const numeric = /^[^ \t\n\v\f\r]*/.exec(text)![0];
  const parts = numeric.split('.').map(parsePart);
  const last = parts.pop();
  if (last === undefined || parts.length > 3 || last > LAST_PART_MAX[parts.length]!) return undefined;
  let word = last;
  for (const [i, part] of parts.entries()) {
    if (part === undefined || part > 0xff) return undefined;
    word |= part << (24 - 8 * i);
  }
  return ipv4(word);
}

function parsePart(text: string): number | undefined {
  if (/^0[xX][0-9a-fA-F]+$/.test(text)) return Number.parseInt(text.slice(2), 16);
  if (/^0[0-7]*$/.test(text)) return Number.parseInt(text, 8);
  return /^[1-9]\d*$/.test(text) ? Number(text) : undefined;
}
