import { fileURLToPath } from 'node:url';
import { type Figure, report } from '../figures.ts';
import { recordBaseline, withBaseline } from './baseline.ts';
import { estimatorFigures, lifeFigures } from './lives.ts';
import { fill, memoryFigures } from './memory.ts';
import { packetFigures } from './packets.ts';

/*
 * The core alone, without sockets: time per packet and per connection, bytes per entry, the longest hold of the loop.
 * Seeded; the rival gets the same packets in the same process. Run with --expose-gc; with `record` the figures become
 * the baseline that later runs are held against.
 */
const [, , mode, family, entries] = process.argv;
const { gc } = globalThis;
if (!gc) throw new Error('run with --expose-gc');

if (mode === 'fill') fill(family!, Number(entries), gc);
else await bench();

async function bench(): Promise<void> {
  const figures: Figure[] = [
    ...(await packetFigures()),
    ...(await lifeFigures()),
    ...(await estimatorFigures()),
    ...memoryFigures(fileURLToPath(import.meta.url)),
  ];
  if (mode === 'record') recordBaseline(figures);
  process.exitCode = report(withBaseline(figures));
}
