import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { docBlocks } from '../support/doc-blocks.ts';
import { LineProgram } from '../support/line-program.ts';
import { lacksPackets } from '../support/network-namespaces.ts';
import { Processes } from '../support/processes.ts';
import { isMissing } from '../support/programs.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const IDLE = join(ROOT, 'dist/test/support/idle-connections-program.js');
const BLOCKS = new Map(
  docBlocks(readFileSync(join(ROOT, 'docs/ha.md'), 'utf8')).map(({ words, text }) => [words[1], text]),
);
const VIP = '10.10.0.100';
const CONNECTIONS = 100;
/** Until records of new connections have been sent. */
const FLUSH_MS = 4000;
const LIMIT_MS = 120_000;
/** Noticing the death takes keepalived up to a second and the run of its script. */
const MOST_GAP_MS = 8000;

const scratch = mkdtempSync(join(tmpdir(), 'uipvs-ha-'));
const env = {
  ...process.env,
  PATH: `${join(ROOT, 'bin')}:${process.env['PATH']}:/usr/sbin:/sbin`,
  P: `uipvs-${process.pid}-`,
  W: join(scratch, 'work'),
};
const programs = new Processes();

afterEach(async () => {
  await programs.end();
  await shell('clean');
  rmSync(scratch, { recursive: true, force: true });
});

const skipped = lacksPackets() || isMissing('keepalived', 'iperf3', 'socat', 'nft', 'bash');

describe.skipIf(skipped)('two directors as docs/ha.md makes them', () => {
  test('the connection of the recipe goes on', { timeout: LIMIT_MS }, async () => {
    const printed = await shell('network', 'directors', 'keepalived', 'try');
    expect(printed).toMatch(/^TCP .* ESTABLISHED 10\.10\.0\.2:\d+ +10\.10\.0\.100:22 +10\.20\.0\.2:22$/m);
    expect(printed).toContain('hello 1\nhello 2\nhello 3\nstill here\n');
  });

  test('all connections go on when the master is killed under load', { timeout: LIMIT_MS }, async () => {
    await shell('network', 'directors', 'keepalived');
    programs.start(inside('srv', 'iperf3', '-s'));
    programs.start(inside('srv', process.execPath, IDLE, 'serve', '22'));
    await sleep(500);
    const idle = new LineProgram(
      programs,
      inside('cli', process.execPath, IDLE, 'hold', VIP, '22', `${CONNECTIONS}`),
    );
    expect(await idle.line()).toBe(`open ${CONNECTIONS}`);
    const load = iperf(inside('cli', 'iperf3', '-c', VIP, '-t', '16', '-i', '0.1', '-R', '-J'));
    await sleep(FLUSH_MS);
    process.kill(Number(readFileSync(join(env.W, 'd1.pid'), 'latin1')), 'SIGKILL');
    const report = await load;
    expect(await idle.ask('talk')).toBe(`alive ${CONNECTIONS}`);
    await idle.end();
    const { gapMs, after } = gapOf(report);
    process.stderr.write(`take-over: ${CONNECTIONS} of ${CONNECTIONS} idle connections, gap ${gapMs} ms\n`);
    expect(report.error).toBeUndefined();
    expect(after).toBeGreaterThan(0);
    expect(gapMs).toBeLessThan(MOST_GAP_MS);
  });
});

interface Report {
  readonly error?: string;
  readonly intervals: readonly { readonly sum: { readonly bytes: number; readonly seconds: number } }[];
}

/** The longest time in which the client got no byte, and the bytes after it. */
function gapOf({ intervals }: Report): { gapMs: number; after: number } {
  let [gapSec, longest, after] = [0, 0, 0];
  for (const { sum } of intervals) {
    gapSec = sum.bytes === 0 ? gapSec + sum.seconds : 0;
    if (gapSec > longest) [longest, after] = [gapSec, 0];
    after += sum.bytes;
  }
  return { gapMs: Math.round(longest * 1000), after };
}

const inside = (host: string, ...command: readonly string[]): string[] => [
  'ip',
  'netns',
  'exec',
  env.P + host,
  ...command,
];

/** Runs blocks of the document one after the other. @returns what they printed */
async function shell(...names: readonly string[]): Promise<string> {
  const script = names.map((name) => BLOCKS.get(name) ?? `exit 9 # no block ${name}\n`).join('\n');
  const child = spawn('bash', ['-c', script], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
  }
  const [status] = await once(child, 'exit');
  if (status !== 0) throw new Error(`${names.join(', ')}: status ${status}: ${printed}`);
  return printed;
}

async function iperf(command: readonly string[]): Promise<Report> {
  const child = programs.start(command, { stdio: ['ignore', 'pipe', 'inherit'] });
  let json = '';
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    json += text;
  });
  await once(child, 'close');
  return JSON.parse(json);
}
