import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runtimePackages } from '../support/dependencies.ts';
import { TestDirector } from '../support/director.ts';
import { type Finished, run } from '../support/processes.ts';
import { isMissing } from '../support/programs.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SERVICE = '127.63.0.1:9200';
const RULES = `-A -t ${SERVICE} -s wlc\n-a -t ${SERVICE} -r 127.63.0.11:9200 -m -w 1\n`;
const NAMES = ['ipvsadm', 'ipvsadm-restore', 'ipvsadm-save'];

const scratch = mkdtempSync(join(tmpdir(), 'uipvs-links-'));
const director = new TestDirector();

beforeAll(() => director.start());
afterAll(async () => {
  await director.cleanUp();
  rmSync(scratch, { recursive: true, force: true });
});

/** Runs a program as scripts do: by its path, from somewhere else. */
const start = (path: string, words = '', input = ''): Promise<Finished> =>
  run([path, ...words.split(' ').filter((word) => word !== '')], { cwd: '/', env: director.env, input });

describe('installed links', () => {
  const dir = join(scratch, 'sbin');

  beforeAll(async () => {
    mkdirSync(dir);
    const made = await start(join(ROOT, 'bin/uipvs'), `install-links ${dir}`);
    expect(made).toMatchObject({ status: 0, stderr: '' });
  });

  test('reach the director from another directory', async () => {
    expect(await start(join(dir, 'ipvsadm-restore'), '', RULES)).toMatchObject({ status: 0, stderr: '' });
    expect(await start(join(dir, 'ipvsadm-save'), '-n')).toMatchObject({ status: 0, stdout: RULES });
    expect((await start(join(dir, 'ipvsadm'), '-L -n')).stdout).toContain(`TCP  ${SERVICE} wlc\n`);
    expect(await start(join(dir, 'ipvsadm'), '-C')).toMatchObject({ status: 0, stdout: '' });
  });

  test('go through links to links, and relative ones', async () => {
    symlinkSync('sbin/ipvsadm', join(scratch, 'relative'));
    symlinkSync(join(scratch, 'relative'), join(scratch, 'again'));
    expect((await start(join(scratch, 'again'), '-v')).stdout).toMatch(/^ipvsadm v1\.31 /);
  });

  test('are gone after --remove', async () => {
    expect(readdirSync(dir).sort()).toEqual(NAMES);
    expect(await start(join(ROOT, 'bin/uipvs'), `install-links --remove ${dir}`)).toMatchObject({
      status: 0,
    });
    expect(readdirSync(dir)).toEqual([]);
  });
});

test.each(['ipvsadm', 'uipvsadm'])('uipvs started under the name %s is ipvsadm', async (name) => {
  const link = join(scratch, `named-${name}`, name);
  mkdirSync(join(link, '..'));
  symlinkSync(join(ROOT, 'bin/uipvs'), link);
  expect((await start(link, '--version')).stdout).toMatch(/^ipvsadm v1\.31 /);
  expect(await start(link, '-C')).toMatchObject({ status: 0, stdout: '', stderr: '' });
});

test('no certificates are loaded at the start, which would take longer than all the rest', async () => {
  const env = { ...director.env, NODE_EXTRA_CA_CERTS: '/nowhere' };
  for (const name of [...NAMES, 'uipvs']) {
    // Node complains of a file that it cannot load.
    expect((await run([join(ROOT, 'bin', name), '--help'], { env })).stderr).not.toContain('/nowhere');
  }
});

describe.skipIf(isMissing('npm'))('the package', () => {
  const prefix = join(scratch, 'prefix');
  const bin = join(prefix, 'node_modules/.bin');
  const npm = async (...words: string[]): Promise<string> => {
    const env = {
      ...process.env,
      npm_config_cache: join(scratch, 'cache'),
      npm_config_update_notifier: 'false',
    };
    const { status, stdout, stderr } = await run(['npm', ...words], { cwd: ROOT, env, timeoutMs: 60_000 });
    if (status !== 0) throw new Error(`npm ${words.join(' ')}: ${stderr}`);
    return stdout.trim();
  };

  beforeAll(async () => {
    mkdirSync(prefix);
    const sources = ['.', ...runtimePackages().map((path) => `./${path}`)];
    const packed = await npm(
      'pack',
      '--silent',
      '--ignore-scripts',
      '--pack-destination',
      scratch,
      ...sources,
    );
    const archives = packed.split('\n').map((name) => join(scratch, name));
    await npm(
      'install',
      '--offline',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--prefix',
      prefix,
      ...archives,
    );
  });

  test('brings uipvs and uipvsadm', async () => {
    // What libraries bring besides is theirs.
    expect(readdirSync(bin)).toEqual(expect.arrayContaining(['uipvs', 'uipvsadm']));
    expect(readdirSync(bin)).not.toContain('ipvsadm');
    expect((await start(join(bin, 'uipvs'), 'version')).stdout).toMatch(/^uipvs \d/);
    expect((await start(join(bin, 'uipvsadm'), '-v')).stdout).toMatch(/^ipvsadm v1\.31 /);
    expect(await start(join(bin, 'uipvsadm'), '-C')).toMatchObject({ status: 0, stdout: '', stderr: '' });
  });

  test('installs links to its own files', async () => {
    const dir = join(scratch, 'packaged');
    mkdirSync(dir);
    expect(await start(join(bin, 'uipvs'), `install-links ${dir}`)).toMatchObject({ status: 0, stderr: '' });
    expect((await start(join(dir, 'ipvsadm'), '-v')).stdout).toMatch(/^ipvsadm v1\.31 /);
    expect(await start(join(dir, 'ipvsadm-save'), '-n')).toMatchObject({ status: 0, stdout: '' });
    const foreign = await start(join(ROOT, 'bin/uipvs'), `install-links ${dir}`);
    expect(foreign).toMatchObject({
      status: 1,
      stdout: '',
      stderr: `uipvs: install-links: ${join(dir, 'ipvsadm')} is not a link of this program; nothing was changed\n`,
    });
  });

  test('runs a director', async () => {
    const env = {
      ...director.env,
      UIPVS_RUNTIME_DIR: join(scratch, 'run'),
      UIPVS_STATE_DIR: join(scratch, 'state'),
    };
    const call = (words: string) => run([join(bin, 'uipvs'), ...words.split(' ')], { cwd: '/', env });
    try {
      expect(await call('up --plane none')).toMatchObject({ status: 0, stderr: '' });
      expect(await call('ipvsadm -A -f 1 -s mh')).toMatchObject({ status: 0, stderr: '' });
      expect((await call('ipvsadm -S')).stdout).toBe('-A -f 1 -s mh\n');
    } finally {
      await call('down');
    }
  });
});
