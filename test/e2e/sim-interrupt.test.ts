import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../support/processes.ts';
import { isMissing } from '../support/programs.ts';

const UIPVS = fileURLToPath(new URL('../../bin/uipvs', import.meta.url));
const RULES = '-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -r 10.0.0.2:80 -m\n';
const CTRL_C = '\x03';
const INTERRUPTED = 130;

let dir: string;
const at = (name: string): string => join(dir, name);

/** A workload of so many connections, of which a second works off less than a million. */
const workload = (connections: number): string => `\
connections: ${connections}
model: counters
arrivals: { kind: poisson, rate: 100 }
serviceTime: { kind: exponential, mean: 5ms }
`;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'uipvs-interrupt-'));
  writeFileSync(at('rules'), RULES);
  writeFileSync(at('long.yaml'), workload(500_000_000));
  writeFileSync(at('short.yaml'), workload(1_000_000));
});
afterAll(() => rmSync(dir, { recursive: true }));

/** A program and what it has written so far. */
class Started {
  readonly child: ChildProcess;
  stdout = '';
  stderr = '';

  constructor(argv: readonly string[]) {
    this.child = spawn(argv[0]!, argv.slice(1), { stdio: 'pipe' });
    this.child.stdout!.on('data', (chunk) => {
      this.stdout += String(chunk);
    });
    this.child.stderr!.on('data', (chunk) => {
      this.stderr += String(chunk);
    });
  }

  async ended(): Promise<number | null> {
    if (this.child.exitCode === null) await once(this.child, 'close');
    return this.child.exitCode;
  }
}

test('an interrupted simulation prints and writes what it has, marked partial', async () => {
  const argv = [
    UIPVS,
    'sim',
    at('rules'),
    at('long.yaml'),
    '--repeat',
    '2',
    '--workers',
    '1',
    '--json',
    '--html',
    at('page.html'),
  ];
  const sim = new Started(argv);
  await new Promise((resolve) => setTimeout(resolve, 2500));
  sim.child.kill('SIGINT');
  expect(await sim.ended()).toBe(INTERRUPTED);
  const outcome = JSON.parse(sim.stdout);
  expect(outcome).toMatchObject({
    partial: true,
    replications: 1,
    schedulers: [{ runs: [{ partial: true }] }],
  });
  expect(outcome.schedulers[0].runs[0].outcomes.completed).toBeGreaterThan(10_000);
  expect(sim.stderr).toBe('');
  expect(readFileSync(at('page.html'), 'utf8')).toContain('<p>PARTIAL: stopped before the end');
});

test.skipIf(isMissing('script'))(
  'a terminal shows how far it is, Ctrl-C keeps whole replications',
  async () => {
    const command = `'${UIPVS}' sim '${at('rules')}' '${at('short.yaml')}' --repeat 400 --workers 1`;
    const sim = new Started(['script', '-qec', command, '/dev/null']);
    const shown = (): number[] =>
      [...sim.stdout.matchAll(/\r[#.]{40} +(\d+) %/g)].map(([, percent]) => Number(percent));
    await until('a replication is done', () => (shown().at(-1) ?? 0) >= 1, 60_000);
    expect(shown()).toEqual([...shown()].sort((a, b) => a - b));
    sim.child.stdin!.write(CTRL_C);
    expect(await sim.ended()).toBe(INTERRUPTED);
    const text = sim.stdout.slice(sim.stdout.lastIndexOf('\x1b[K'));
    expect(text).toMatch(/offered load 0\.50; \d+ replications, seed 1/);
    expect(text).toContain('PARTIAL: stopped before the end; what follows is what was finished.');
    expect(text).toMatch(/^mean +[\d.]+ ms ±[\d.]+\s*$/m);
  },
  90_000,
);

test('nothing but the result is written where there is no terminal', async () => {
  writeFileSync(at('tiny.yaml'), workload(1000));
  const sim = new Started([UIPVS, 'sim', at('rules'), at('tiny.yaml'), '--repeat', '1']);
  expect(await sim.ended()).toBe(0);
  expect(sim.stderr).toBe('');
  expect(sim.stdout).not.toContain('PARTIAL');
});
