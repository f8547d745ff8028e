import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildResult, build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'uipvs-cli-'));
const program = join(scratch, 'start.mjs');

/** What a program that starts often may load at once; the resolver is not among it. */
const LOADED_AT_START = ['node:fs', 'node:net', 'node:os', 'node:path', 'node:url'];

let bundle: BuildResult<{ metafile: true }>;

beforeAll(async () => {
  bundle = await build({
    absWorkingDir: ROOT,
    entryPoints: ['src/cli/main.ts'],
    outfile: join(scratch, 'ipvsadm.mjs'),
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    metafile: true,
    logLevel: 'silent',
  });
  writeFileSync(
    program,
    "import { runIpvsadm } from './ipvsadm.mjs';\nprocess.exit(await runIpvsadm(process.argv.slice(2)));\n",
  );
});

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

test('nothing but the socket, files and paths of Node is loaded at start', () => {
  const [output] = Object.values(bundle.metafile.outputs);
  const loaded = output!.imports.filter(({ kind }) => kind === 'import-statement').map(({ path }) => path);
  expect(LOADED_AT_START).toEqual(expect.arrayContaining([...new Set(loaded)]));
});

test('without a director it says so on standard error, in full, with status 2', async () => {
  const { status, stdout, stderr } = await start(['-Ln']);
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr.split('\n')).toEqual([
    "Can't initialize ipvs: Protocol not available",
    'Are you sure that IP Virtual Server is built in the kernel or as module?',
    expect.stringMatching(/^uipvs: no director at .*netlink\.sock; start one with 'uipvs up'$/),
    '',
  ]);
});

test('a reader that has gone ends it quietly', async () => {
  const { status, stdout } = await start(['-v'], (child) => child.stderr.destroy());
  expect({ status, stdout }).toEqual({ status: 141, stdout: '' });
});

function start(
  words: readonly string[],
  prepare: (child: ReturnType<typeof spawnProgram>) => void = () => {},
): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const child = spawnProgram(words);
  const text = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => {
    text.stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    text.stderr += chunk.toString();
  });
  prepare(child);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, ...text }));
  });
}

function spawnProgram(words: readonly string[]) {
  const env = {
    PATH: process.env['PATH'],
    UIPVS_RUNTIME_DIR: join(scratch, 'run'),
    XDG_RUNTIME_DIR: scratch,
  };
  return spawn(process.execPath, [program, ...words], { env, stdio: ['ignore', 'pipe', 'pipe'] });
}
