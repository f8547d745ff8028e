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

/** Where one director's files are. */
type Env = NodeJS.ProcessEnv & { readonly UIPVS_RUNTIME_DIR: string; readonly UIPVS_STATE_DIR: string };

const DAEMON = [join(ROOT, 'bin/uipvs'), 'daemon', '--plane', 'none'];
const LOADED_DIRECTOR = [fileURLToPath(new URL('./loaded-director.js', import.meta.url))];

const scratch = mkdtempSync(join(tmpdir(), 'uipvs-bench-'));
const figures: Figure[] = [];

try {
  await withDirector('empty', DAEMON, async (empty) => {
    await withDirector('full', DAEMON, (full) => configuration(empty, full));
  });
  await withDirector('connections', LOADED_DIRECTOR, connections);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

process.exitCode = report(figures);

function configuration(emptyEnv: Env, env: Env): void {
  const small = restores(env, 5_000);
  const large = restores(env, 10_000);
  add('ipvsadm -R of 5,000 rules', small, 's', 2);
  add('ipvsadm -R of 10,000 rules against 5,000', large / small, 'x', 2.3);

  ipvsadm(env, ['-C']);
  ipvsadm(env, ['-R'], rules(5_001, 5_000));
  const bare: number[] = [];
  const empty: number[] = [];
  const full: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    bare.push(seconds(env, [process.execPath, '-e', '0']));
    empty.push(ipvsadm(emptyEnv, ['-L', '-n']));
    full.push(ipvsadm(env, ['-L', '-n']));
  }
  add('ipvsadm -L -n, empty table, against node -e 0', median(empty) / median(bare), 'x', 1.35);
  add('ipvsadm -L -n of 5,000 servers against the empty table', median(full) / median(empty), 'x', 3);
}

function connections(env: Env): void {
  const listings = Array.from({ length: 3 }, () => ipvsadm(env, ['-L', '-n', '-c']));
  add('ipvsadm -L -c of 100,000 connections', median(listings), 's', 1.5);
}

/** Median time of a restore into an empty table. */
function restores(env: Env, count: number): number {
  const text = rules(count, 9);
  const times = [1, 2, 3].map(() => {
    ipvsadm(env, ['-C']);
    return ipvsadm(env, ['-R'], text);
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

function ipvsadm(env: Env, args: readonly string[], input = ''): number {
  return seconds(env, [process.execPath, IPVSADM, ...args], input);
}

function seconds(env: Env, [command, ...args]: readonly string[], input = ''): number {
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
async function withDirector(
  name: string,
  command: readonly string[],
  use: (env: Env) => void | Promise<void>,
): Promise<void> {
  const env: Env = {
    ...process.env,
    UIPVS_RUNTIME_DIR: join(scratch, name, 'run'),
    UIPVS_STATE_DIR: join(scratch, name, 'state'),
  };
  for (const dir of [env.UIPVS_RUNTIME_DIR, env.UIPVS_STATE_DIR]) mkdirSync(dir, { recursive: true });
  const director: ChildProcess = spawn(process.execPath, command, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const closed = once(director, 'close');
  let said = '';
  director.stdout!.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  try {
    await Promise.race([once(director.stderr!, 'data'), failure(director)]);
    await use(env);
  } finally {
    director.kill('SIGTERM');
    await closed;
  }
  const holds = /longest hold (\S+) ms of \d+; (\S+) ms/.exec(said);
  if (!holds) return;
  add('the longest time of its own that a listing held the worker', Number(holds[1]), 'ms', 5);
  figures.push({ what: 'the same, waits for a processor included', value: Number(holds[2]), unit: 'ms' });
}

async function failure(director: ChildProcess): Promise<never> {
  const [status] = await once(director, 'exit');
  throw new Error(`the director ended with status ${status}`);
}
