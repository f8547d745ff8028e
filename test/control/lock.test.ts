import { once } from 'node:events';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { LockHeld, lockHolder, takeLock } from '../../src/control/lock.ts';
import { formatProcessId, isRunning, ownProcessId, parseProcessId } from '../../src/control/process-id.ts';
import { bundleProgram, startProgram } from './child-program.ts';
import { tempDir } from './temp-dir.ts';

const own = ownProcessId();

test('a lock is held by one, until it is released', () => {
  const dir = tempDir();
  expect(lockHolder(dir, 'a')).toBeUndefined();
  const lock = takeLock(dir, 'a');
  expect(lockHolder(dir, 'a')).toEqual(own);
  expect(() => takeLock(dir, 'a')).toThrow(LockHeld);
  expect(() => takeLock(dir, 'a')).toThrow(`use ${dir}/a: pid ${process.pid} has it`);
  takeLock(dir, 'b').release();
  lock.release();
  expect(readdirSync(dir)).toEqual([]);
  takeLock(dir, 'a').release();
});

test.each([
  { whose: 'of a process that is gone', text: formatProcessId({ ...own, pid: 2 ** 22 + 1 }) },
  { whose: 'of an earlier process with the same pid', text: formatProcessId({ ...own, startTicks: '1' }) },
  { whose: 'of an earlier boot', text: formatProcessId({ ...own, bootId: 'x' }) },
  { whose: 'that says nothing', text: '' },
  { whose: 'that is something else', text: 'lock\n' },
])('a lock $whose is taken over', ({ text }) => {
  const dir = tempDir();
  writeFileSync(join(dir, 'a.lock.7'), text);
  expect(lockHolder(dir, 'a')).toBeUndefined();
  const lock = takeLock(dir, 'a');
  expect(readdirSync(dir)).toEqual(['a.lock.8']);
  lock.release();
});

test.each([true, false])(
  'of a holder in another pid namespace the caller knows whether it lives: %s',
  (alive) => {
    const dir = tempDir();
    writeFileSync(join(dir, 'a.lock.1'), formatProcessId({ ...own, namespace: 'pid:[1]' }));
    const take = () => takeLock(dir, 'a', () => alive);
    if (alive) expect(take).toThrow(LockHeld);
    else take().release();
  },
);

test('a process is recognised by more than its pid', () => {
  expect(isRunning(own)).toBe(true);
  expect(isRunning({ ...own, startTicks: '1' })).toBe(false);
  expect(isRunning({ ...own, namespace: 'pid:[1]' })).toBeUndefined();
  expect(parseProcessId(formatProcessId(own))).toEqual(own);
});

test('a directory that cannot be written is told', () => {
  expect(() => takeLock(join(tempDir(), 'none'), 'a')).toThrow(/^lock .*none\/a: ENOENT$/);
});

test('of many processes that fight over the lock of a dead one, one at a time gets it', async () => {
  const dir = tempDir();
  const program = bundleProgram('lock-program', tempDir());
  const ends = Array.from({ length: 10 }, () => once(startProgram(program, dir), 'exit'));
  for (const [status, signal] of await Promise.all(ends)) expect([status, signal]).toEqual([null, 'SIGKILL']);
  expect(existsSync(join(dir, 'inside'))).toBe(false);
  expect(lockHolder(dir, 'test')).toBeUndefined();
}, 30_000);
