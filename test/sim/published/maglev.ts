import { AF_INET, ipv4 } from '../../../src/core/address.ts';
import { fillMaglevTable, type SlotTaker } from '../../../src/schedulers/mh.ts';

const FIRST = 0x0a020001;

/** Servers 10.2.0.1 on, of weight 1. */
const servers = (count: number): SlotTaker[] =>
  Array.from({ length: count }, (_, i) => ({ addr: ipv4(FIRST + i), port: 80, lastWeight: 1 }));

function tableOf(size: number, takers: readonly SlotTaker[]): Int32Array {
  const slots = new Int32Array(size);
  fillMaglevTable(slots, takers, AF_INET);
  return slots;
}

/** Most slots of a server by fewest. */
export function maglevBalance(size: number, count: number): number {
  const shares = new Array<number>(count).fill(0);
  for (const at of tableOf(size, servers(count))) shares[at]!++;
  return Math.max(...shares) / Math.min(...shares);
}

/**
 * Share of the slots of servers that stay which go to another one when one server goes, averaged over servers.
 * @param samples how many servers go, one at a time
 */
export function maglevDisruption(size: number, count: number, samples: number): number {
  const all = servers(count);
  const before = tableOf(size, all);
  let moved = 0;
  let staying = 0;
  for (let i = 0; i < samples; i++) {
    const gone = Math.floor((i * count) / samples);
    const after = tableOf(size, all.toSpliced(gone, 1));
    for (let slot = 0; slot < size; slot++) {
      const owner = before[slot]!;
      if (owner === gone) continue;
      staying++;
      if (after[slot]! + (after[slot]! >= gone ? 1 : 0) !== owner) moved++;
    }
  }
  return moved / staying;
}
