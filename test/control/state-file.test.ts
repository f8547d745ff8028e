import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { LockHeld } from '../../src/control/lock.ts';
import { StateFile, StateFileBroken } from '../../src/control/state-file.ts';
import { FILE_IO, type StateIo } from '../../src/control/state-io.ts';
import type { Command } from '../../src/core/commands.ts';
import { anyCommand } from './arbitrary-command.ts';
import { tempDir } from './temp-dir.ts';

const sysctl = (value: string): Command => ({ op: 'set-sysctl', name: 'drop_entry', value });
const THREE = [sysctl('1'), sysctl('2'), sysctl('3')];

test('what was appended is there after the file was opened again', () => {
  const path = join(tempDir(), 'state');
  fc.assert(
    fc.property(fc.array(anyCommand), (commands) => {
      writeState(path, commands, { fresh: true });
      expect(readState(path).commands).toEqual(commands);
    }),
    { numRuns: 30 },
  );
});

test.each(['\u2028', '\u2029', '\r', '\0', '\ud800'])('a name with %j is no end of a line', (text) => {
  const path = join(tempDir(), 'state');
  writeState(path, [sysctl(text), ...THREE]);
  expect(readState(path).commands).toEqual([sysctl(text), ...THREE]);
});

test('a record is in the file when append returns', () => {
  const path = join(tempDir(), 'state');
  const { file } = StateFile.open(path);
  file.append(sysctl('3'));
  expect(readFileSync(path, 'utf8')).toMatch(/ \{"op":"set-sysctl","name":"drop_entry","value":"3"\}\n$/);
  file.close();
});

test('a file that was cut anywhere in its last record gives all earlier ones and says so', () => {
  const path = join(tempDir(), 'state');
  writeState(path, THREE);
  const whole = readFileSync(path);
  const lastStart = whole.lastIndexOf(10, whole.length - 2) + 1;
  for (let end = lastStart; end < whole.length; end++) {
    writeFileSync(path, whole.subarray(0, end));
    const { file, commands, warnings } = StateFile.open(path);
    expect(commands).toEqual(THREE.slice(0, 2));
    expect(warnings).toHaveLength(end === lastStart ? 0 : 1);
    file.append(sysctl('0'));
    file.close();
    expect(readState(path)).toEqual({ commands: [...THREE.slice(0, 2), sysctl('0')], warnings: [] });
  }
});

test('blocks that were never written at the end count as torn', () => {
  const path = join(tempDir(), 'state');
  writeState(path, THREE);
  const whole = readFileSync(path);
  for (const tail of [new Uint8Array(100), Uint8Array.of(0, 0, 10)]) {
    writeFileSync(path, Buffer.concat([whole, tail]));
    const { commands, warnings } = readState(path);
    expect(commands).toEqual(THREE);
    expect(warnings).toEqual([`${path}: the last record is torn, its ${tail.length} bytes were cut off`]);
  }
});

test('a changed byte in any line but the last refuses the file, names a line and changes nothing', () => {
  const path = join(tempDir(), 'state');
  writeState(path, THREE);
  const whole = readFileSync(path);
  const lastStart = whole.lastIndexOf(10, whole.length - 2) + 1;
  for (let at = 0; at < lastStart; at++) {
    const bad = Buffer.from(whole);
    bad[at] = bad[at]! ^ 1;
    writeFileSync(path, bad);
    expect(() => StateFile.open(path), `byte ${at}`).toThrow(StateFileBroken);
    expect(readFileSync(path).equals(bad)).toBe(true);
  }
});

test.each([
  {
    what: 'a record with a wrong byte',
    change: (l: string[]) => l.with(2, l[2]!.replace('entry', 'extra')),
    line: 3,
  },
  { what: 'a lost line', change: (l: string[]) => l.toSpliced(2, 1), line: 3 },
  { what: 'a repeated line', change: (l: string[]) => l.toSpliced(2, 0, l[1]!), line: 3 },
  { what: 'swapped lines', change: (l: string[]) => [l[0]!, l[2]!, l[1]!, l[3]!, ''], line: 2 },
  { what: 'an empty line', change: (l: string[]) => l.toSpliced(1, 0, ''), line: 2 },
  { what: 'a wrong byte in a last line that ends', change: (l: string[]) => l.with(3, `${l[3]}x`), line: 4 },
  { what: 'a strange header', change: (l: string[]) => l.with(0, 'services:'), line: 1 },
  { what: 'a later format', change: (l: string[]) => l.with(0, 'uipvs-state 2 0'), line: 1 },
  { what: 'nothing at all', change: () => [''], line: 1 },
])('$what is refused in line $line', ({ change, line }) => {
  const path = join(tempDir(), 'state');
  writeState(path, THREE);
  writeFileSync(path, change(readFileSync(path, 'utf8').split('\n')).join('\n'));
  expect(() => StateFile.open(path)).toThrow(`${path}:${line}: `);
});

test('a refused file can be left aside by a fresh start, which overwrites nothing', () => {
  const path = join(tempDir(), 'state');
  for (const [content, kept] of [
    ['broken', `${path}.old`],
    ['broken again', `${path}.old.2`],
  ] as const) {
    writeFileSync(path, content);
    const { file, commands, warnings } = StateFile.open(path, { fresh: true });
    file.close();
    expect(commands).toEqual([]);
    expect(warnings).toEqual([`${path}: starting empty; the state so far is kept in ${kept}`]);
    expect(readFileSync(kept, 'utf8')).toBe(content);
  }
  expect(readFileSync(`${path}.old`, 'utf8')).toBe('broken');
});

test('a second director cannot open the file; after close it can', () => {
  const path = join(tempDir(), 'state');
  const { file } = StateFile.open(path);
  expect(() => StateFile.open(path)).toThrow(LockHeld);
  file.close();
  expect(readState(path).commands).toEqual([]);
  expect(readdirSync(join(path, '..'))).toEqual(['state']);
});

test.each(['ENOSPC', 'EIO', 'EDQUOT'])('an append that fails with %s leaves no trace and says so', (code) => {
  const path = join(tempDir(), 'state');
  const io = faulty();
  const { file } = StateFile.open(path, { io });
  file.append(sysctl('1'));
  io.failing = code;
  expect(() => file.append(sysctl('2'))).toThrow(expect.objectContaining({ name: 'IpvsError', errno: code }));
  expect(file.damaged).toBe(false);
  io.failing = undefined;
  file.append(sysctl('3'));
  file.close();
  expect(readState(path)).toEqual({ commands: [sysctl('1'), sysctl('3')], warnings: [] });
});

test('a partly written record that cannot be taken back closes the file to appends until it is compacted', () => {
  const path = join(tempDir(), 'state');
  const io = faulty();
  const { file } = StateFile.open(path, { io });
  io.failing = 'ENOSPC';
  io.cannotTruncate = true;
  expect(() => file.append(sysctl('1'))).toThrow();
  io.failing = undefined;
  expect(file.damaged).toBe(true);
  expect(() => file.append(sysctl('2'))).toThrow(expect.objectContaining({ errno: 'EIO' }));
  file.compact([sysctl('7')]);
  file.append(sysctl('2'));
  file.close();
  expect(readState(path).commands).toEqual([sysctl('7'), sysctl('2')]);
});

test('records reach the disk within 20 ms, many with one sync', async () => {
  const io = { ...FILE_IO, syncInBackground: vi.fn(FILE_IO.syncInBackground) };
  const { file } = StateFile.open(join(tempDir(), 'state'), { io });
  for (let i = 0; i < 100; i++) file.append(sysctl('1'));
  expect(io.syncInBackground).not.toHaveBeenCalled();
  await vi.waitFor(() => expect(io.syncInBackground).toHaveBeenCalledTimes(1), { interval: 1 });
  await sleep(40);
  expect(io.syncInBackground).toHaveBeenCalledTimes(1);
  file.append(sysctl('1'));
  await vi.waitFor(() => expect(io.syncInBackground).toHaveBeenCalledTimes(2), { interval: 1 });
  file.close();
});

test('with fsync always a record is on the disk before append returns, or refused', () => {
  const path = join(tempDir(), 'state');
  const io = faulty();
  const { file } = StateFile.open(path, { io, fsync: 'always' });
  const before = io.syncs;
  file.append(sysctl('1'));
  expect(io.syncs).toBe(before + 1);
  io.failingSync = 'EIO';
  expect(() => file.append(sysctl('2'))).toThrow(expect.objectContaining({ errno: 'EIO' }));
  expect(file.damaged).toBe(true);
  io.failingSync = undefined;
  file.close();
  expect(readState(path).commands).toEqual([sysctl('1')]);
});

test('a failed background sync is told and asks for a compaction', async () => {
  const warn = vi.fn();
  const io: StateIo = { ...FILE_IO, syncInBackground: (_fd, done) => done(coded('EIO')) };
  const path = join(tempDir(), 'state');
  const { file } = StateFile.open(path, { io, warn });
  file.append(sysctl('1'));
  await vi.waitFor(() => expect(warn).toHaveBeenCalledTimes(1));
  expect(warn.mock.calls[0]).toEqual([
    `${path}: fdatasync: EIO; recent changes may not survive a power loss`,
  ]);
  expect(file.wantsCompaction).toBe(true);
  file.close();
});

test('a compaction replaces the file while it is used', () => {
  const path = join(tempDir(), 'state');
  const { file } = StateFile.open(path);
  for (const command of THREE) file.append(command);
  file.compact([sysctl('3')]);
  file.append(sysctl('4'));
  file.close();
  expect(readState(path).commands).toEqual([sysctl('3'), sysctl('4')]);
  expect(readFileSync(path, 'utf8')).toMatch(/^uipvs-state 1 1\n/);
});

test('a compaction that fails leaves the old file in use', () => {
  const path = join(tempDir(), 'state');
  const io = faulty();
  const { file } = StateFile.open(path, { io });
  file.append(sysctl('1'));
  io.failing = 'ENOSPC';
  expect(() => file.compact(THREE)).toThrow(`compact ${path}: ENOSPC`);
  io.failing = undefined;
  expect(existsSync(`${path}.new`)).toBe(false);
  file.append(sysctl('2'));
  file.close();
  expect(readState(path).commands).toEqual([sysctl('1'), sysctl('2')]);
});

test('a compaction is wanted once the file has grown by a multiple, also over restarts', () => {
  const path = join(tempDir(), 'state');
  let { file } = StateFile.open(path);
  for (let i = 0; i < 4095; i++) file.append(sysctl('1'));
  expect(file.wantsCompaction).toBe(false);
  file.close();
  file = StateFile.open(path).file;
  file.append(sysctl('1'));
  expect(file.wantsCompaction).toBe(true);
  file.compact(Array.from({ length: 3000 }, () => sysctl('1')));
  for (let i = 0; i < 2999; i++) file.append(sysctl('1'));
  expect(file.wantsCompaction).toBe(false);
  file.append(sysctl('1'));
  expect(file.wantsCompaction).toBe(true);
  file.close();
});

test('a half-made compaction of a killed director does no harm', () => {
  const path = join(tempDir(), 'state');
  writeState(path, THREE);
  writeFileSync(`${path}.new`, 'uipvs-st');
  const { file, commands } = StateFile.open(path);
  expect(commands).toEqual(THREE);
  file.compact([sysctl('3')]);
  file.close();
  expect(readState(path).commands).toEqual([sysctl('3')]);
});

test('only settings and timeouts that somebody chose are chosen', () => {
  const path = join(tempDir(), 'state');
  writeState(path, [sysctl('1'), sysctl('2')]);
  const { file } = StateFile.open(path);
  expect(file.chosen).toEqual({ sysctls: new Set(['drop_entry']), timeouts: false });
  file.append({ op: 'set-timeouts', timeouts: { tcpSec: 1, tcpFinSec: 2, udpSec: 3 } });
  expect(file.chosen.timeouts).toBe(true);
  file.close();
});

function writeState(path: string, commands: readonly Command[], options = {}): void {
  const { file } = StateFile.open(path, options);
  for (const command of commands) file.append(command);
  file.close();
}

function readState(path: string): { commands: readonly Command[]; warnings: readonly string[] } {
  const { file, commands, warnings } = StateFile.open(path);
  file.close();
  return { commands, warnings };
}

interface FaultyIo extends StateIo {
  /** Errno of the next writes, of which the first takes half. */
  failing: string | undefined;
  failingSync: string | undefined;
  cannotTruncate: boolean;
  syncs: number;
}

function faulty(): FaultyIo {
  const io: FaultyIo = {
    ...FILE_IO,
    failing: undefined,
    failingSync: undefined,
    cannotTruncate: false,
    syncs: 0,
    write: (fd, bytes) => {
      if (io.failing === undefined) return FILE_IO.write(fd, bytes);
      if (bytes.length > 8) return FILE_IO.write(fd, bytes.subarray(0, bytes.length - 8));
      throw coded(io.failing);
    },
    truncate: (fd, sizeBytes) => {
      if (io.cannotTruncate) throw coded('EIO');
      FILE_IO.truncate(fd, sizeBytes);
    },
    sync: (fd) => {
      io.syncs += 1;
      if (io.failingSync !== undefined) throw coded(io.failingSync);
      FILE_IO.sync(fd);
    },
  };
  return io;
}

const coded = (code: string): Error => Object.assign(new Error(code), { code });
