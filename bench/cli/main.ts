import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { type Figure, report } from '../figures.ts';

/*
 * What ipvsadm's commands take, beside a bare Node in the same run. Every figure is the median of ROUNDS runs; rivals
 * alternate. Limits are printed with the figures; exit status 1 if one is missed.
 */
const ROUNDS = 9;
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const IPVSADM = join(ROOT, 'bin/ipvsadm');

const scratch = mkdtempSync(join(tmpdir(), 'uipvs-bench-'));
const env = {
  ...process.env,
  UIPVS_RUNTIME_DIR: join(scratch, 'run'),
  UIPVS_STATE_DIR: join(scratch, 'state'),
};
const figures: Figure[] = [];

try {
  await withDirector([join(ROOT, 'bin/uipvs'), 'daemon', '--plane', 'none'], () => configuration());
  await withDirector([fileURLToPath(new URL('./loaded-director.js', import.meta.url))], () => connections());
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

process.exitCode = report(figures);

function configuration(): void {
  const bare: number[] = [];
  const empty: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    bare.push(seconds([process.execPath, '-e', '0']));
    empty.push(ipvsadm(['-L', '-n']));
  }
  add('ipvsadm -L -n, empty table, against node -e 0', median(empty) / median(bare), 'x', 1.35);

  const small = restores(5_000);
  const large = restores(10_000);
  add('ipvsadm -R of 5,000 rules', small, 's', 2);
  add('ipvsadm -R of 10,000 rules against 5,000', large / small, 'x', 2.3);

  ipvsadm(['-C']);
  ipvsadm(['-R'], rules(5_001, 5_000));
  const full = Array.from({ length: ROUNDS }, () => ipvsadm(['-L', '-n']));
  add('ipvsadm -L -n of 5,000 servers against the empty table', median(full) / median(empty), 'x', 3);
}

function connections(): void {
  const listings = Array.from({ length: 3 }, () => ipvsadm(['-L', '-n', '-c']));
  add('ipvsadm -L -c of 100,000 connections', median(listings), 's', 1.5);
}

/** Median time of a restore into an empty table. */
function restores(count: number): number {
  const text = rules(count, 9);
  const times = [1, 2, 3].map(() => {
    ipvsadm(['-C']);
    return ipvsadm(['-R'], text);
  });
  return median(times);
}

/** `count` rules: services of `servers` servers each. */
function rules(count: number, servers: number): string {
  const lines: string[] = [];
  for (let n = 0; lines.length < count; n++) {
    const service = `-t 10.${n >> 16}.${(n >> 8) & 255}.${n & 255}:80`;
    lines.push(`-A ${service} -s rr`);
    for (let i = 0; i < servers && lines.length < count; i++) {
      lines.push(`-a ${service} -r 10.200.${i >> 8}.${i & 255}:8080 -m`);
    }
  }
  return `${lines.join('\n')}\n`;
}

function ipvsadm(args: readonly string[], input = ''): number {
  return seconds([process.execPath, IPVSADM, ...args], input);
}

function seconds([command, ...args]: readonly string[], input = ''): number {
  const start = performance.now();
  const run = spawnSync(command!, args, { env, input, stdio: ['pipe', 'pipe', 'pipe'], maxBuffer: 1 << 28 });
  if (run.status !== 0) throw new Error(`${args.join(' ')}: status ${run.status}: ${run.stderr}`);
  return (performance.now() - start) / 1000;
}

function add(what: string, value: number, unit: string, limit: number): void {
  figures.push({ what, value, unit, limit });
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

/** Runs `use` while a director runs that says a line when it is ready. */
async function withDirector(command: readonly string[], use: () => void): Promise<void> {
  for (const dir of [env.UIPVS_RUNTIME_DIR, env.UIPVS_STATE_DIR]) mkdirSync(dir, { recursive: true });
  const director: ChildProcess = spawn(process.execPath, command, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  await Promise.race([once(director.stderr!, 'data'), failure(director)]);
  use();
  const ended = once(director, 'exit');
  director.kill('SIGTERM');
  director.stdout!.setEncoding('utf8').on('data', (text: string) => {
    const longest = Number(/longest hold (\S+) ms/.exec(text)?.[1]);
    add('the longest time that a listing held the director', longest, 'ms', 5);
  });
  await ended;
}

async function failure(director: ChildProcess): Promise<never> {
  const [status] = await once(director, 'exit');
  throw new Error(`the director ended with status ${status}`);
}
