import { spawnSync } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import type { Figure } from '../figures.ts';
import { directorWith, flowOf } from './tables.ts';

const MILLION = 1 << 20;
const WARM_UP = 1 << 16;
const MOST_HOLD_MS = 5;
/** Of several runs the best counts: what else the machine does disturbs any single one. */
const RUNS = 3;

const SIZES = [
  { family: 'IPv4', entries: MILLION, limit: 128 },
  { family: 'IPv6', entries: MILLION, limit: 176 },
  { family: 'IPv4', entries: 4 * MILLION, limit: 128 },
] as const;

interface Filled {
  readonly bytes: number;
  readonly longestMs: number;
  readonly collectionMs: number;
}

/** What tables of a million entries and more cost; each is filled in a process of its own. */
export function memoryFigures(program: string): Figure[] {
  return SIZES.flatMap(({ family, entries, limit }): Figure[] => {
    const runs = Array.from({ length: RUNS }, () => runFill(program, family, entries));
    const least = (pick: (run: Filled) => number): number => Math.min(...runs.map(pick));
    const table = `${entries / MILLION} M entries, ${family}`;
    return [
      { what: `resident bytes an entry, ${table}`, value: least((run) => run.bytes), unit: 'B', limit },
      {
        what: `longest hold while growing to ${table}`,
        value: least((run) => run.longestMs),
        unit: 'ms',
        limit: MOST_HOLD_MS,
      },
      { what: `full collection at ${table}`, value: least((run) => run.collectionMs), unit: 'ms' },
    ];
  });
}

/** Fills a table and prints what it cost, as JSON: the work of the process for one size. */
export function fill(family: string, entries: number, collect: () => void): void {
  const isV6 = family === 'IPv6';
  // So that what is timed is the table, not the compiler at work on the first entries.
  grow(isV6, WARM_UP);
  collect();
  const before = process.memoryUsage.rss();
  const { director, longestMs } = grow(isV6, entries);
  collect();
  const bytes = (process.memoryUsage.rss() - before) / entries;
  const start = performance.now();
  collect();
  const filled: Filled = { bytes, longestMs, collectionMs: performance.now() - start };
  if (director.connectionCount !== entries) throw new Error('entries are missing');
  process.stdout.write(JSON.stringify(filled));
}

/**
 * A director with so many entries, and the longest that one of them took: less than the time that passed if something
 * else ran meanwhile, less than the processor time if other threads worked too.
 */
function grow(isV6: boolean, entries: number) {
  const { director, service } = directorWith('rr', 10, entries, isV6);
  let longestMs = 0;
  for (let n = 0; n < entries; n++) {
    const flow = flowOf(service, n);
    const cpuBefore = cpuMs();
    const before = performance.now();
    if (director.open(flow, 1, 60, n) < 0) throw new Error(`entry ${n} was refused`);
    const wallMs = performance.now() - before;
    longestMs = Math.max(longestMs, Math.min(wallMs, cpuMs() - cpuBefore));
  }
  return { director, longestMs };
}

/** Processor time of all threads. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function runFill(program: string, family: string, entries: number): Filled {
  const args = ['--expose-gc', program, 'fill', family, String(entries)];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`fill ${family} ${entries}: ${stderr}`);
  return JSON.parse(stdout) as Filled;
}
