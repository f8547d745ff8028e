import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { SystemError } from '../../src/control/system-error.ts';
import { UsageError } from '../../src/verbs/arguments.ts';
import { LINK_NAMES, runInstallLinks } from '../../src/verbs/install-links.ts';
import { tempDir } from '../control/temp-dir.ts';

let binDir: string;
let dir: string;
let printed: string;
let complaints: string[];

beforeEach(() => {
  const base = tempDir();
  binDir = join(base, 'package/bin');
  dir = join(base, 'sbin');
  mkdirSync(binDir, { recursive: true });
  mkdirSync(dir);
  for (const name of LINK_NAMES) writeFileSync(join(binDir, name), '');
  printed = '';
  complaints = [];
});

const links = () => readdirSync(dir).map((name) => [name, readlinkSync(join(dir, name))]);

test('the links lead to the files of this program', async () => {
  expect(await install(dir)).toBe(0);
  expect(links()).toEqual([...LINK_NAMES].sort().map((name) => [name, join(binDir, name)]));
  for (const name of LINK_NAMES) expect(printed).toContain(`${join(dir, name)} -> ${join(binDir, name)}\n`);
});

test('a second time there is nothing to do, and a missing link is made again', async () => {
  await install(dir);
  printed = '';
  expect(await install(dir)).toBe(0);
  expect(printed).toBe(`nothing to do in ${dir}\n`);
  unlinkSync(join(dir, 'ipvsadm-save'));
  printed = '';
  expect(await install(dir)).toBe(0);
  expect(printed).toBe(`${join(dir, 'ipvsadm-save')} -> ${join(binDir, 'ipvsadm-save')}\n`);
});

test('--remove takes the links away again, and only them', async () => {
  await install(dir);
  writeFileSync(join(dir, 'other'), '');
  expect(await install(dir, '--remove')).toBe(0);
  expect(readdirSync(dir)).toEqual(['other']);
  printed = '';
  expect(await install('--remove', dir)).toBe(0);
  expect(printed).toBe(`nothing to do in ${dir}\n`);
});

test('a relative link to the same file is one of ours', async () => {
  symlinkSync(relative(dir, join(binDir, 'ipvsadm')), join(dir, 'ipvsadm'));
  expect(await install(dir)).toBe(0);
  expect(await install(dir, '--remove')).toBe(0);
  expect(readdirSync(dir)).toEqual([]);
});

test.each([
  { what: 'a program', make: (path: string) => writeFileSync(path, 'the real one') },
  { what: 'a link to another program', make: (path: string) => symlinkSync('/usr/sbin/nothing', path) },
  {
    what: 'a link to our file under another name',
    make: (path: string) => symlinkSync(join(binDir, 'ipvsadm'), path),
  },
  { what: 'a link to our link', make: (path: string) => linkToLink(path) },
  { what: 'a directory', make: (path: string) => mkdirSync(path) },
])('$what in the way is told, and nothing is changed', async ({ make }) => {
  const path = join(dir, 'ipvsadm-restore');
  make(path);
  const before = readdirSync(dir);
  const inode = lstatSync(path).ino;
  for (const args of [[dir], [dir, '--remove']]) {
    complaints = [];
    expect(await install(...args)).toBe(1);
    expect(complaints).toEqual([`install-links: ${path} is not a link of this program; nothing was changed`]);
    expect(printed).toBe('');
    expect(readdirSync(dir)).toEqual(before);
    expect(lstatSync(path).ino).toBe(inode);
  }
});

test('the program does not link over its own files', async () => {
  expect(await install(binDir)).toBe(1);
  expect(readdirSync(binDir).every((name) => lstatSync(join(binDir, name)).isFile())).toBe(true);
});

test('a place that is no directory is refused', async () => {
  writeFileSync(join(dir, 'file'), '');
  await expect(install(join(dir, 'missing'))).rejects.toThrow(/^use directory .*missing: ENOENT$/);
  await expect(install(join(dir, 'file'))).rejects.toThrow(/^use directory .*file: ENOTDIR$/);
  await expect(install(join(dir, 'file'))).rejects.toThrow(SystemError);
});

test('the directory is never chosen by default', async () => {
  await expect(install()).rejects.toThrow(UsageError);
  await expect(install('--remove')).rejects.toThrow(UsageError);
  await expect(install(dir, dir)).rejects.toThrow(UsageError);
});

function linkToLink(path: string): void {
  const detour = join(binDir, 'detour');
  symlinkSync(join(binDir, 'ipvsadm-restore'), detour);
  symlinkSync(detour, path);
}

function install(...args: string[]): Promise<number> {
  const terminal = {
    async print(text: string): Promise<void> {
      printed += text;
    },
    complain(line: string): void {
      complaints.push(line);
    },
  };
  return runInstallLinks(args, terminal, binDir);
}
