import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { type Figure, report } from '../figures.ts';

/*
 * What `uipvs run` costs: its start beside a bare Node, one system call that it looks at (processor time of the program
 * and of the wrapper together), calls that it does not look at, and a restore by the distribution's ipvsadm. Rivals
 * alternate; of each the best of ROUNDS runs counts, which another load on the machine disturbs least. Exit status 1 if
 * a limit is missed.
 */
const ROUNDS = 7;
const CALLS = 20_000;
const WATCHED_CALLS = 5_000;
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const UIPVS = join(ROOT, 'bin/uipvs');
const WRAPPED = [UIPVS, 'run', '--'];
const IPVSADM = '/usr/sbin/ipvsadm';

/** Calls in a loop, and prints nanoseconds for each. */
const READ = loop('open(my $s, "<", "/dev/zero"); my $b', 'sysread($s, $b, 1)');
const SEND = loop('socketpair(my $s, my $t, 1, 2, 0)', 'send($s, "x", 0); recv($t, my $b, 1, 0)');
/** Runs a program and prints the seconds of processor time that it and all it waited for took. */
const PROCESSOR = 'system(@ARGV) == 0 or die; my @t = times; printf "%f", $t[2] + $t[3]';

const scratch = mkdtempSync(join(tmpdir(), 'uipvs-bench-'));
const env = {
  ...process.env,
  UIPVS_RUNTIME_DIR: join(scratch, 'run'),
  UIPVS_STATE_DIR: join(scratch, 'state'),
};
const figures: Figure[] = [];

try {
  const director = await start();
  try {
    startTimes();
    callTimes();
    if (existsSync(IPVSADM)) restores();
    else process.stdout.write(`no ${IPVSADM}: restores are not measured\n`);
  } finally {
    director.kill('SIGTERM');
    await once(director, 'exit');
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

process.exitCode = report(figures);

function startTimes(): void {
  const [bare, wrapped] = best([process.execPath, '-e', '0'], [...WRAPPED, 'true']);
  add('run -- true', wrapped * 1000, 'ms');
  add('run -- true against node -e 0', wrapped / bare, 'x', 1.8);
}

function callTimes(): void {
  const inside = (script: string): number => Number(output([...WRAPPED, 'perl', '-e', script]));
  const outside = (script: string): number => Number(output(['perl', '-e', script]));
  const rivals = (script: string): [number, number] => {
    let [least, most] = [Infinity, Infinity];
    for (let round = 0; round < ROUNDS; round++) {
      least = Math.min(least, outside(script));
      most = Math.min(most, inside(script));
    }
    return [least, most];
  };
  const [few, many] = [1, WATCHED_CALLS].map((count) => processorSeconds(receiving(count)));
  add('a system call that is looked at', ((many! - few!) / WATCHED_CALLS) * 1e6, 'us', 130);
  const [read, readInside] = rivals(READ);
  add('what the filter adds to a read() of another descriptor', (readInside - read) / 1000, 'us', 0.3);
  const [send, sendInside] = rivals(SEND);
  add('send() and recv() of other sockets, inside against outside', sendInside / send, 'x', 1.2);
}

function receiving(count: number): string {
  return `socket(my $s, 16, 2051, 16); my $b; recv($s, $b, 16, 0) for 1..${count}`;
}

/** Processor time of a wrapped program of perl, the wrapper's included. */
function processorSeconds(script: string): number {
  const command = ['perl', '-e', PROCESSOR, ...WRAPPED, 'perl', '-e', script];
  return Math.min(...Array.from({ length: ROUNDS }, () => Number(output(command))));
}

function restores(): void {
  const small = restore(5_000);
  const large = restore(10_000);
  add('ipvsadm -R of 5,000 rules by the real ipvsadm', small, 's', 7);
  add('10,000 rules against 5,000', large / small, 'x', 2.3);
}

/** Seconds of the better of two restores into an empty table. */
function restore(count: number): number {
  const servers = Array.from(
    { length: count },
    (_, i) => `-a -t 10.0.0.1:80 -r 10.1.${i >> 8}.${i & 255}:80 -m\n`,
  );
  const input = `-A -t 10.0.0.1:80 -s rr\n${servers.join('')}`;
  const times = [0, 1].map(() => {
    seconds([...WRAPPED, IPVSADM, '-C']);
    return seconds([...WRAPPED, IPVSADM, '-R'], input);
  });
  return Math.min(...times);
}

function loop(setUp: string, call: string): string {
  const clock = 'Time::HiRes::clock_gettime(1)';
  const measured = `my $from = ${clock}; for (1..${CALLS}) { ${call} } printf "%d", (${clock} - $from) * 1e9 / ${CALLS}`;
  return `use Time::HiRes; ${setUp}; ${measured}`;
}

/** Seconds of two rivals that alternate. */
function best(one: readonly string[], other: readonly string[]): [number, number] {
  let [a, b] = [Infinity, Infinity];
  for (let round = 0; round < 3 * ROUNDS; round++) {
    a = Math.min(a, seconds(one));
    b = Math.min(b, seconds(other));
  }
  return [a, b];
}

function seconds(command: readonly string[], input = ''): number {
  const from = performance.now();
  output(command, input);
  return (performance.now() - from) / 1000;
}

function output(command: readonly string[], input = ''): string {
  const { status, stdout, stderr } = spawnSync(command[0]!, command.slice(1), {
    env,
    input,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${command.join(' ')}: status ${status}: ${stderr}`);
  return stdout;
}

async function start(): Promise<ChildProcess> {
  for (const dir of ['run', 'state']) mkdirSync(join(scratch, dir));
  const child = spawn(UIPVS, ['daemon', '--plane', 'none'], { env, stdio: 'ignore' });
  const socket = join(scratch, 'run/netlink.sock');
  for (const end = performance.now() + 15_000; !existsSync(socket); ) {
    if (performance.now() > end) throw new Error('the director does not start');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return child;
}

function add(what: string, value: number, unit: string, limit?: number): void {
  figures.push(limit === undefined ? { what, value, unit } : { what, value, unit, limit });
}
