import { type Address, ipv4, parseAddress } from '../core/address.ts';

const ZERO = 48;
const NINE = 57;
const DOT = 46;
const V4_MAPPED = '::ffff:';

/**
 * Reads a peer's address as node:net and node:dgram print it: a zone is cut off, a v4-mapped address becomes IPv4.
 * @returns `undefined` if it is no address.
 */
export function peerAddress(text: string): Address | undefined {
  const word = ipv4Word(text, 0);
  if (word !== undefined) return ipv4(word);
  const zone = text.indexOf('%');
  const bare = zone < 0 ? text : text.slice(0, zone);
  const mapped = bare.startsWith(V4_MAPPED) ? ipv4Word(bare, V4_MAPPED.length) : undefined;
  return mapped === undefined ? parseAddress(bare) : ipv4(mapped);
}

/** Reads a dotted quad that the system printed, so without looking for leading zeros. Once per datagram, hence by hand. */
function ipv4Word(text: string, from: number): number | undefined {
  let word = 0;
  let octet = 0;
  let dots = 0;
  for (let i = from; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === DOT) {
      word = (word << 8) | octet;
      octet = 0;
      dots++;
    } else if (code >= ZERO && code <= NINE) {
      octet = octet * 10 + code - ZERO;
    } else {
      return undefined;
    }
  }
  return dots === 3 ? (word << 8) | octet : undefined;
}
