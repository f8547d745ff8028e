import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';

/** Uniform in [0, 1). */
export type Random = () => number;

/** What draws from a stream of its own, so that one choice more in one place shifts nothing elsewhere. */
export const STREAM = {
  ARRIVALS: 1,
  CLIENTS: 2,
  WORK: 3,
  THINKING: 4,
  ROUTES: 5,
  KINDS: 6,
  DIRECTORS: 64,
} as const;

/** Weyl increment of splitmix32. */
const INCREMENT = 0x9e3779b9;

/**
 * A generator (xoroshiro128+) that depends on its arguments only.
 * @param seed of the whole experiment, any integer
 * @param replication which repetition of it
 * @param stream one of STREAM, or DIRECTORS + the director's number
 */
export function randomStream(seed: number, replication: number, stream: number): Random {
  let state = mixed(mixed(mixed(seed | 0) ^ Math.floor(seed / 2 ** 32)) ^ replication) ^ mixed(stream);
  const words = Array.from({ length: 4 }, () => {
    state = (state + INCREMENT) | 0;
    return mixed(state);
  });
  const generator = xoroshiro128plusFromState(words);
  return () => uniformFloat64(generator);
}

/** The finaliser of MurmurHash3: every bit of the input changes half of the output's. */
function mixed(word: number): number {
  let hash = (word + INCREMENT) | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
