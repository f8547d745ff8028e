import { readFileSync } from 'node:fs';
import { PerformanceObserver, performance } from 'node:perf_hooks';
import { parentPort } from 'node:worker_threads';
import { AF_INET, ipv4 } from '../../src/core/address.ts';
import { PROTOCOL, type ServiceConfig } from '../../src/core/config.ts';
import { type CoreQuery, Director } from '../../src/core/director.ts';
import { SystemHost } from '../../src/net/system-host.ts';
import { SCHEDULERS } from '../../src/schedulers/registry.ts';
import type { WorkerRequest } from '../../src/worker-port.ts';

/*
 * The worker thread of a director whose core already has CONNECTIONS entries. It answers questions as the director's
 * own worker does, and says at the end how long one held the thread: from its arrival until the answer is on its way.
 * What the machine adds is taken off, as it is not the listing's doing: the thread's own time is what passed less its
 * waits for a processor (the scheduler's figure), and never more than the processor time of the whole process.
 */
const CONNECTIONS = 100_000;
const VIP = ipv4(0x0a000001);
const ALL_FLAGS = 0xffffffff;

export interface Holds {
  readonly count: number;
  /** The thread's own time in ms. */
  readonly longestMs: number;
  /** All the time that passed, in ms. */
  readonly longestWallMs: number;
  /** Longest pause of the garbage collector while questions were answered. */
  readonly longestGcMs: number;
}

const port = parentPort!;
const director = new Director({
  schedulers: SCHEDULERS,
  random: () => 0.5,
  host: new SystemHost(),
  connMax: CONNECTIONS * 2,
  now: performance.now(),
});
load();

let count = 0;
let longestMs = 0;
let longestWallMs = 0;
let longestGcMs = 0;
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) longestGcMs = Math.max(longestGcMs, duration);
}).observe({ entryTypes: ['gc'] });

port.on('message', (request: WorkerRequest | 'report') => {
  if (request === 'report') {
    port.postMessage({ holds: { count, longestMs, longestWallMs, longestGcMs } satisfies Holds });
    return;
  }
  const { id, call } = request;
  if (call.call !== 'ask') throw new Error('questions only');
  const waitedBefore = waitedMs();
  const usedBefore = process.cpuUsage();
  const start = performance.now();
  port.postMessage({ id, value: director.ask(call.query as CoreQuery, start) });
  const wallMs = performance.now() - start;
  const { user, system } = process.cpuUsage(usedBefore);
  const ownMs = Math.min(wallMs - (waitedMs() - waitedBefore), (user + system) / 1000);
  count++;
  longestWallMs = Math.max(longestWallMs, wallMs);
  longestMs = Math.max(longestMs, ownMs);
});
port.postMessage('loaded');

/** Time in which this thread could have run and had no processor. */
function waitedMs(): number {
  return Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[1]) / 1e6;
}

function load(): void {
  const service: ServiceConfig = {
    family: AF_INET,
    protocol: PROTOCOL.UDP,
    addr: VIP,
    port: 53,
    fwmark: 0,
    scheduler: 'rr',
    flags: 0,
    timeoutSec: 0,
    netmask: 0xffffffff,
    pe: '',
  };
  director.apply({ op: 'add-service', service, flagsMask: ALL_FLAGS }, performance.now());
  for (let n = 1; n <= 10; n++) {
    const dest = {
      addr: ipv4(0x0a020000 + n),
      port: 53,
      weight: 1,
      method: 0,
      upperThreshold: 0,
      lowerThreshold: 0,
    };
    const tunnel = { tunnelType: 0, tunnelPort: 0, tunnelFlags: 0 };
    director.apply({ op: 'add-dest', service, dest: { ...dest, ...tunnel } }, performance.now());
  }
  for (let n = 0; n < CONNECTIONS; n++) {
    const caddr = ipv4(0x0a010000 + (n >> 8));
    const flow = { protocol: PROTOCOL.UDP, caddr, cport: 1024 + (n & 255), vaddr: VIP, vport: 53, fwmark: 0 };
    director.open(flow, 1, 60, performance.now());
  }
}
