import { performance } from 'node:perf_hooks';
import { measure } from 'mitata';
import { DIRECTION, TCP_EVENT } from '../../src/core/flow.ts';
import { HOOK, VERDICT } from '../../src/core/verdict.ts';
import { SCHEDULERS } from '../../src/schedulers/registry.ts';
import { type Figure, report } from '../figures.ts';
import { MapRival } from './map-rival.ts';
import { ackOf, directorWith, flowOf, seededRandom } from './tables.ts';

/*
 * The core alone, without sockets: time per packet and per connection, bytes per entry, the longest hold of the loop.
 * Run with --expose-gc. Seeded; the rival runs in the same process on the same packets.
 */
const SEED = 20_261_122;
const ENTRIES = 100_000;
const BATCH = 4096;
const MILLION = 1 << 20;
const SERVER_COUNTS = [10, 100, 1000] as const;

const gc = (globalThis as { gc?: () => void }).gc;
if (!gc) throw new Error('run with --expose-gc');
const figures: Figure[] = [];
await packets();
await schedulers();
memory(false, 128);
memory(true, 176);
process.exitCode = report(figures);

async function packets(): Promise<void> {
  const { director, service } = directorWith('rr', 10, ENTRIES * 2);
  const rival = new MapRival();
  for (let n = 0; n < ENTRIES; n++) {
    const flow = flowOf(service, n);
    const id = director.open(flow, 1, 60, 0);
    director.segment(id, DIRECTION.OUTPUT, TCP_EVENT.SYN, 1, 60, 0);
    director.segment(id, DIRECTION.INPUT, TCP_EVENT.ACK, 1, 52, 0);
    rival.open(flow.caddr.words[0], flow.cport, flow.vaddr.words[0], flow.vport, 0);
  }
  const random = seededRandom(SEED);
  const { length } = ackOf(0);
  // As a device gives them: one after the other in one buffer.
  const batch = new Uint8Array(BATCH * length);
  for (let at = 0; at < batch.length; at += length) {
    batch.set(ackOf(Math.floor(random() * ENTRIES)), at);
    const verdict = director.packet(batch, at, length, HOOK.LOCAL_IN, 0, 1);
    if (verdict !== VERDICT.TRANSMIT || !rival.packet(batch, at, 1)) throw new Error(`verdict ${verdict}`);
  }
  const ours = await nanoseconds(BATCH, () => {
    for (let at = 0; at < batch.length; at += length) {
      director.packet(batch, at, length, HOOK.LOCAL_IN, 0, 1);
    }
  });
  const theirs = await nanoseconds(BATCH, () => {
    for (let at = 0; at < batch.length; at += length) rival.packet(batch, at, 1);
  });
  figures.push({ what: 'established packet, 100,000 entries', value: ours, unit: 'ns', limit: 400 });
  figures.push({ what: 'the same, against objects in a Map', value: ours / theirs, unit: 'x', limit: 1 / 3 });
}

/** Adds, schedules and expires connections in turn. */
async function schedulers(): Promise<void> {
  for (const { name } of SCHEDULERS) {
    for (const servers of SERVER_COUNTS) {
      const { director, service } = directorWith(name, servers, BATCH * 4);
      const flows = Array.from({ length: 256 }, (_, n) => flowOf(service, n));
      let now = 0;
      const value = await nanoseconds(flows.length, () => {
        for (const flow of flows) director.open(flow, 1, 60, now);
        now += 61_000;
        director.expire(now);
      });
      figures.push({
        what: `connection made, scheduled, expired: ${name}, ${servers} servers`,
        value,
        unit: 'ns',
      });
    }
  }
}

function memory(isV6: boolean, limit: number): void {
  const family = isV6 ? 'IPv6' : 'IPv4';
  gc!();
  const before = process.memoryUsage.rss();
  const { director, service } = directorWith('rr', 10, MILLION, isV6);
  let longestMs = 0;
  for (let n = 0; n < MILLION; n++) {
    const flow = flowOf(service, n);
    const start = performance.now();
    if (director.open(flow, 1, 60, n) < 0) throw new Error(`entry ${n} was refused`);
    longestMs = Math.max(longestMs, performance.now() - start);
  }
  gc!();
  const bytes = (process.memoryUsage.rss() - before) / MILLION;
  figures.push({ what: `bytes an entry, 1 M entries, ${family} (resident)`, value: bytes, unit: 'B', limit });
  figures.push({
    what: `longest hold while growing to 1 M, ${family}`,
    value: longestMs,
    unit: 'ms',
    limit: 5,
  });
  const start = performance.now();
  gc!();
  figures.push({
    what: `full collection at 1 M entries, ${family}`,
    value: performance.now() - start,
    unit: 'ms',
  });
  if (director.connectionCount !== MILLION) throw new Error('entries are missing');
}

/** Median time of one of `count` operations that a call makes. */
async function nanoseconds(count: number, call: () => void): Promise<number> {
  const { p50 } = await measure(call, { min_cpu_time: 200e6 });
  return p50 / count;
}
