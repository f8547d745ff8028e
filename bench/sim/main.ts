import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAddress } from '../../src/core/address.ts';
import { PROTOCOL } from '../../src/core/config.ts';
import { type Command, simulate, WORKLOAD_DEFAULTS } from '../../src/sim/index.ts';
import { type Figure, report } from '../figures.ts';

/*
 * The laboratory alone: processor time per simulated connection and per event, memory, growth with the number of
 * connections. Every scheduler has a process of its own, as it has in a run. And the program: start to first result.
 */
const SERVERS = 100;
const CONNECTIONS = 1_000_000;
/** A million connections a second. */
const LIMIT_NS = 1000;
/** Ten times the work may take so many times the time. */
const GROWTH_LIMIT = 11;
const START_LIMIT_MS = 500;
const STARTS = 7;
const PROGRAM = fileURLToPath(new URL('../../../bin/uipvs', import.meta.url));

const [, , scheduler, model, count] = process.argv;
if (scheduler === undefined) bench();
else measure(scheduler, model === 'entries' ? 'entries' : 'counters', Number(count));

interface Measured {
  readonly nsPerConnection: number;
  readonly nsPerEvent: number;
  readonly megabytes: number;
}

function bench(): void {
  const figures: Figure[] = [];
  for (const name of ['rr', 'wrr', 'wlc']) {
    const { nsPerConnection, nsPerEvent } = child(name, 'counters', CONNECTIONS);
    figures.push({
      what: `${name}, counters, per connection`,
      value: nsPerConnection,
      unit: 'ns',
      limit: LIMIT_NS,
    });
    figures.push({ what: `${name}, counters, per event`, value: nsPerEvent, unit: 'ns' });
    figures.push({
      what: `${name}, entries, per connection`,
      value: child(name, 'entries', CONNECTIONS).nsPerConnection,
      unit: 'ns',
    });
  }
  const one = child('rr', 'counters', CONNECTIONS);
  const ten = child('rr', 'counters', 10 * CONNECTIONS);
  const growth = (10 * ten.nsPerConnection) / one.nsPerConnection;
  figures.push({ what: 'time for ten times the connections', value: growth, unit: '', limit: GROWTH_LIMIT });
  figures.push({ what: 'resident memory after 10 million connections', value: ten.megabytes, unit: 'MB' });
  figures.push({ what: 'start to first result', value: startMs(), unit: 'ms', limit: START_LIMIT_MS });
  process.exitCode = report(figures);
}

/** Median time of `uipvs sim` with a thousand connections, from the start of the process to its end. */
function startMs(): number {
  const folder = mkdtempSync(join(tmpdir(), 'uipvs-bench-'));
  const rules = join(folder, 'rules');
  const workload = join(folder, 'workload.yaml');
  writeFileSync(
    rules,
    '-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -r 10.2.0.1:80 -m\n-a -t 10.0.0.1:80 -r 10.2.0.2:80 -m\n',
  );
  writeFileSync(
    workload,
    'connections: 1000\narrivals: { kind: poisson, rate: 100 }\nserviceTime: { kind: exponential, mean: 5ms }\n',
  );
  try {
    const times = Array.from({ length: STARTS }, () => {
      const before = performance.now();
      const { status, stderr } = spawnSync(
        process.execPath,
        [PROGRAM, 'sim', rules, workload, '--repeat', '1'],
        { encoding: 'utf8' },
      );
      if (status !== 0) throw new Error(`uipvs sim: ${stderr}`);
      return performance.now() - before;
    });
    return times.sort((a, b) => a - b)[STARTS >> 1]!;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function child(name: string, how: string, connections: number): Measured {
  const args = [fileURLToPath(import.meta.url), name, how, String(connections)];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${name}: ${stderr}`);
  return JSON.parse(stdout);
}

function measure(name: string, how: 'entries' | 'counters', connections: number): void {
  const addr = parseAddress('10.0.0.1')!;
  const service = { family: addr.family, protocol: PROTOCOL.TCP, addr, port: 80, fwmark: 0 };
  const config = { ...service, scheduler: name, flags: 0, timeoutSec: 0, netmask: 0xffffffff, pe: '' };
  const none = {
    method: 0,
    upperThreshold: 0,
    lowerThreshold: 0,
    tunnelType: 0,
    tunnelPort: 0,
    tunnelFlags: 0,
  };
  const commands: Command[] = [{ op: 'add-service', service: config, flagsMask: 0xffffffff }];
  for (let i = 1; i <= SERVERS; i++) {
    const dest = { addr: parseAddress(`10.0.1.${i}`)!, port: 80, weight: 1, ...none };
    commands.push({ op: 'add-dest', service, dest });
  }
  const workload = {
    ...WORKLOAD_DEFAULTS,
    model: how,
    tableSize: 2 ** 21,
    connections,
    arrivals: { kind: 'poisson', rate: SERVERS * 800 },
    serviceTime: { kind: 'exponential', mean: 1 },
  } as const;
  const before = process.cpuUsage();
  const { events, outcomes } = simulate({ commands, workload, seed: 1, replication: 0 });
  const { user, system } = process.cpuUsage(before);
  if (outcomes.completed !== connections)
    throw new Error(`${outcomes.completed} of ${connections} completed`);
  const ns = (user + system) * 1000;
  const measured: Measured = {
    nsPerConnection: ns / connections,
    nsPerEvent: ns / events,
    megabytes: process.memoryUsage().rss / 2 ** 20,
  };
  process.stdout.write(JSON.stringify(measured));
}
