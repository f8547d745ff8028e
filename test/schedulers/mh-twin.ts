import type { Destination } from '../../src/core/destination.ts';
import { slowHashWord } from '../core/siphash-twin.ts';

const SLOTS = 4093;
const PLACE_KEY = 2654435761n;
const SKIP_KEY = 2654446892n;

export const slotOfWord = (word: number): number => slowHashWord(word, PLACE_KEY, PLACE_KEY) % SLOTS;

/** The table of mh, made slowly: each server's whole preference list (best last) first, then turn by turn. IPv4 only. */
export function slowTable(dests: readonly Destination[], size = SLOTS): (Destination | undefined)[] {
  const weights = dests.map((dest) => dest.lastWeight);
  const highest = Math.max(0, ...weights);
  const table = new Array<Destination | undefined>(size).fill(undefined);
  if (highest === 0) return table;
  let divisor = highest;
  while (weights.some((weight) => weight % divisor !== 0)) divisor--;
  let shift = (highest / divisor).toString(2).length - 6;
  if (shift < 0) shift = 0;
  const takers = dests.map((dest) => {
    const word = dest.addr.words[0] + dest.port;
    const first = slowHashWord(word, PLACE_KEY, PLACE_KEY) % size;
    const skip = (slowHashWord(word, SKIP_KEY, SKIP_KEY) % (size - 1)) + 1;
    const preferences = Array.from({ length: size }, (_, i) => (first + i * skip) % size).reverse();
    const share = Math.floor(dest.lastWeight / divisor / 2 ** shift);
    return { dest, preferences, turns: dest.lastWeight === 0 ? 0 : Math.max(share, 1) };
  });
  for (;;) {
    for (const { dest, preferences, turns } of takers) {
      for (let turn = 0; turn < turns; turn++) {
        while (preferences.length > 0 && table[preferences.at(-1)!]) preferences.pop();
        if (preferences.length === 0) return table;
        table[preferences.pop()!] = dest;
      }
    }
  }
}
