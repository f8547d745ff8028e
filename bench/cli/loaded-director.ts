import { performance } from 'node:perf_hooks';
import { processPaths, runtimeDir, socketPath } from '../../src/control/paths.ts';
import { ControlServer } from '../../src/control/server.ts';
import { AF_INET, ipv4 } from '../../src/core/address.ts';
import type { Query, QueryResults } from '../../src/core/commands.ts';
import { PROTOCOL, type ServiceConfig } from '../../src/core/config.ts';
import { type CoreQuery, Director } from '../../src/core/director.ts';
import { SystemHost } from '../../src/net/system-host.ts';
import { NetlinkSession } from '../../src/netlink/server.ts';
import { SCHEDULERS } from '../../src/schedulers/registry.ts';

/*
 * A director whose core already has CONNECTIONS entries, in one thread; at the end it says how long a question held
 * that thread at the most.
 */
const CONNECTIONS = 100_000;
const VIP = ipv4(0x0a000001);
const ALL_FLAGS = 0xffffffff;

const director = new Director({
  schedulers: SCHEDULERS,
  random: () => 0.5,
  host: new SystemHost(),
  connMax: CONNECTIONS * 2,
  now: performance.now(),
});
let longestMs = 0;

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

const server = new ControlServer({
  path: socketPath(runtimeDir(processPaths()).path),
  mode: 0o600,
  warn: (line) => process.stderr.write(`${line}\n`),
  createSession: () =>
    new NetlinkSession({
      apply: () => Promise.reject(new Error('listings only')),
      ask<Q extends Query>(query: Q): Promise<QueryResults[Q['query']]> {
        const start = performance.now();
        const answer = director.ask(query as CoreQuery, start) as QueryResults[Q['query']];
        longestMs = Math.max(longestMs, performance.now() - start);
        // Other work of the loop comes between two slices.
        return new Promise((resolve) => setImmediate(() => resolve(answer)));
      },
    }),
});
await server.listen();
process.stderr.write('ready\n');
process.once('SIGTERM', async () => {
  process.stdout.write(`longest hold ${longestMs.toFixed(2)} ms\n`);
  await server.close(100);
});
