import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestDirector } from '../support/director.ts';
import { run } from '../support/processes.ts';
import { isMissing } from '../support/programs.ts';
import { runWrapped } from '../support/wrapped.ts';

const SOURCES = fileURLToPath(new URL('go', import.meta.url));
/** Where Debian's packages of Go libraries put their sources. */
const GOPATH = '/usr/share/gocode';
const BUILD_MS = 300_000;

const scratch = mkdtempSync(join(tmpdir(), 'uipvs-go-'));
const director = new TestDirector();

beforeAll(() => director.start(['--plane', 'none']));
afterAll(async () => {
  await director.cleanUp();
  rmSync(scratch, { recursive: true, force: true });
});

describe.skipIf(isMissing('go') || isLibraryMissing('moby/ipvs'))('a static Go program on moby/ipvs', () => {
  test('drives the director, whatever the other threads do', { timeout: BUILD_MS }, async () => {
    const { stdout } = await runWrapped(director, [await build('moby')]);
    expect(stdout).toBe(
      [
        'again: file exists',
        '10.0.0.1 80 rr 2 300 44850',
        '15m0s 2m0s 5m0s',
        'gone: no such process',
        '',
      ].join('\n'),
    );
    expect(await director.ok('-Sn')).toBe('');
  });
});

describe.skipIf(isMissing('go') || isLibraryMissing('mdlayher/genetlink'))(
  'a static Go program on genetlink',
  () => {
    test('drives the director over non-blocking sockets of many threads', { timeout: BUILD_MS }, async () => {
      const { stdout } = await runWrapped(director, [await build('mdlayher')], {
        options: ['--proc', 'all'],
      });
      expect(stdout).toBe(
        [
          'IPVS 1 other: netlink receive: no such file or directory',
          'again: netlink receive: file exists',
          'services: 200',
          'conntrack: 1 refused: write /proc/sys/net/ipv4/vs/conntrack: invalid argument',
          '',
        ].join('\n'),
      );
      expect((await director.uipvs('sysctl net.ipv4.vs.conntrack')).stdout).toBe(
        'net.ipv4.vs.conntrack = 1\n',
      );
    });
  },
);

async function build(name: string): Promise<string> {
  const program = join(scratch, name);
  const env = {
    PATH: process.env['PATH'],
    HOME: scratch,
    GOPATH,
    GOCACHE: join(scratch, 'cache'),
    GO111MODULE: 'off',
    CGO_ENABLED: '0',
  };
  const command = ['go', 'build', '-o', program, '.'];
  const { status, stderr } = await run(command, { cwd: join(SOURCES, name), env, timeoutMs: BUILD_MS });
  if (status !== 0) throw new Error(`go build: ${stderr}`);
  return program;
}

function isLibraryMissing(name: string): boolean {
  const isThere = existsSync(join(GOPATH, 'src/github.com', name));
  if (!isThere) process.stderr.write(`skipped: no Go library ${name} on this machine\n`);
  return !isThere;
}
