import { type Address, AF_INET, type Family } from './address.ts';
import { PROTOCOL, SERVICE_FLAG } from './config.ts';
import type { Flow } from './flow.ts';

/** 2^32 divided by the square of the golden ratio. */
const GOLDEN_RATIO_32 = 0x61c88647;

/** Mixes a word into a hash; every input bit reaches the low bits (multiply, xor-shift). @returns int32 */
export function mixHash(hash: number, word: number): number {
  const h = Math.imul(hash ^ word, 0x9e3779b1);
  return h ^ (h >>> 15);
}

/**
 * Mixes the words of an IPv6 address into a hash, each in two rounds: who chooses all four words could take back with
 * the next what the top bits of one do in a single round. @returns int32
 */
export function mixAddress6(seed: number, a: number, b: number, c: number, d: number): number {
  const half = mixHash(mixHash(mixHash(mixHash(seed, a), 0), b), 0);
  return mixHash(mixHash(mixHash(mixHash(half, c), 0), d), 0);
}

/** The kernel's multiplicative hash (hash_32). @returns the upper `bits` bits, 1 to 31, of the product */
export function goldenHash(word: number, bits: number): number {
  return Math.imul(word, GOLDEN_RATIO_32) >>> (32 - bits);
}

/**
 * An address in one word: IPv4 itself, of IPv6 the exclusive or of its words (ip_vs_sh.c, ip_vs_dh.c, ip_vs_mh.c).
 * @param family the service's; an IPv6 server of an IPv4 service counts with its first word only
 * @returns int32
 */
export function foldAddress(address: Address, family: Family): number {
  const { words } = address;
  return family === AF_INET ? words[0] : words[0] ^ words[1] ^ words[2] ^ words[3];
}

/**
 * The client's port as sh and mh hash it: 0 unless the service asks for ports and the protocol has them.
 * @param flags the service's flags word
 */
export function hashedPort(flow: Flow, flags: number): number {
  if ((flags & SERVICE_FLAG.SCHED_2) === 0) return 0;
  const { protocol } = flow;
  const hasPorts = protocol === PROTOCOL.TCP || protocol === PROTOCOL.UDP || protocol === PROTOCOL.SCTP;
  return hasPorts ? flow.cport : 0;
}
