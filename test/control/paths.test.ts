import { chmodSync, lstatSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  clientDirs,
  type Environment,
  makeDir,
  type PathContext,
  prepareStateDir,
  runtimeDir,
  trusted,
} from '../../src/control/paths.ts';
import { tempDir } from './temp-dir.ts';

const own = process.getuid!();

function context(uid: number, env: Environment = {}, home: string | undefined = '/home/me'): PathContext {
  return { env, uid, tempDir: '/tmp', systemDir: '/run/uipvs', home };
}

test.each([
  { who: 'root', at: context(0), path: '/run/uipvs' },
  { who: 'root in a session', at: context(0, { XDG_RUNTIME_DIR: '/run/user/0' }), path: '/run/uipvs' },
  {
    who: 'a user in a session',
    at: context(1000, { XDG_RUNTIME_DIR: '/run/user/1000' }),
    path: '/run/user/1000/uipvs',
  },
  { who: 'a user without a session', at: context(1000), path: '/tmp/uipvs-1000' },
  {
    who: 'a user with a relative XDG path',
    at: context(1000, { XDG_RUNTIME_DIR: 'x' }),
    path: '/tmp/uipvs-1000',
  },
  { who: 'anybody with the variable', at: context(1000, { UIPVS_RUNTIME_DIR: '/x/y' }), path: '/x/y' },
  { who: 'anybody with an empty variable', at: context(0, { UIPVS_RUNTIME_DIR: '' }), path: '/run/uipvs' },
])('the runtime directory of $who is $path', ({ at, path }) => {
  expect(runtimeDir(at).path).toBe(path);
});

test.each([
  { who: 'root', at: context(0), paths: ['/run/uipvs'] },
  { who: 'a user', at: context(1000), paths: ['/tmp/uipvs-1000', '/run/uipvs'] },
  {
    who: 'a user with the variable',
    at: context(1000, { UIPVS_RUNTIME_DIR: '/x', XDG_RUNTIME_DIR: '/run/user/1000' }),
    paths: ['/x'],
  },
])('a client of $who looks in $paths', ({ at, paths }) => {
  expect(clientDirs(at).map(({ path }) => path)).toEqual(paths);
});

test('a directory in a shared place is made for its owner alone', () => {
  const dir = { path: join(tempDir(), 'uipvs'), shared: true };
  makeDir(dir, own, 0o700);
  expect(lstatSync(dir.path).mode & 0o777).toBe(0o700);
  chmodSync(dir.path, 0o777);
  makeDir(dir, own, 0o700);
  expect(lstatSync(dir.path).mode & 0o777).toBe(0o700);
  expect(trusted(dir, own)).toBe(true);
});

test.each([
  { what: 'a symbolic link', uid: own, make: (path: string) => symlinkSync(tempDir(), path) },
  { what: 'a file', uid: own, make: (path: string) => writeFileSync(path, '') },
  { what: "somebody else's directory", uid: own + 1, make: (path: string) => mkdirSync(path) },
])('$what in a shared place is neither used nor trusted', ({ uid, make }) => {
  const dir = { path: join(tempDir(), 'uipvs'), shared: true };
  make(dir.path);
  expect(() => makeDir(dir, uid, 0o700)).toThrow(/^(use|make) directory .*uipvs: /);
  expect(trusted(dir, uid)).toBe(false);
});

test('only the default without a session lies in a shared place', () => {
  expect(runtimeDir(context(1000)).shared).toBe(true);
  expect(runtimeDir(context(1000, { XDG_RUNTIME_DIR: '/run/user/1000' })).shared).toBe(false);
  expect(runtimeDir(context(1000, { UIPVS_RUNTIME_DIR: '/tmp/mine' })).shared).toBe(false);
});

test('a directory that is not there is not trusted', () => {
  expect(trusted({ path: join(tempDir(), 'none'), shared: true }, own)).toBe(false);
});

test('the state directory follows the variable, XDG_STATE_HOME, then the home directory', () => {
  const home = tempDir();
  const xdg = tempDir();
  const variable = join(tempDir(), 'deep/state');
  const prepared = (env: Environment) => prepareStateDir({ ...context(1000, env, home) });
  expect(prepared({ UIPVS_STATE_DIR: variable, XDG_STATE_HOME: xdg }).path).toBe(variable);
  expect(prepared({ XDG_STATE_HOME: xdg })).toEqual({ path: join(xdg, 'uipvs'), warning: undefined });
  expect(prepared({})).toEqual({ path: join(home, '.local/state/uipvs'), warning: undefined });
});

test('without a usable home the state lies beside the runtime directory, with a warning', () => {
  const home = join(tempDir(), 'file');
  writeFileSync(home, '');
  const runtime = join(tempDir(), 'run');
  for (const given of [undefined, home]) {
    const state = prepareStateDir({ ...context(1000, { UIPVS_RUNTIME_DIR: runtime }), home: given });
    expect(state.path).toBe(`${runtime}.state`);
    expect(state.warning).toMatch(/^state is kept in .*run\.state, which may not survive a reboot \(/);
  }
});

test('a state directory that was asked for is used or refused, not replaced', () => {
  const file = join(tempDir(), 'file');
  writeFileSync(file, '');
  for (const path of [file, join(file, 'below')]) {
    expect(() => prepareStateDir(context(1000, { UIPVS_STATE_DIR: path }))).toThrow(
      `make directory ${path}: `,
    );
  }
});
