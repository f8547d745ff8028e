import { closeSync, openSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { type Native, native } from '../../src/net/ffi/native.ts';
import { ARCHITECTURES } from '../../src/run/abi.ts';
import { FileComparison } from '../../src/run/file-comparison.ts';

const arch = ARCHITECTURES[process.arch as keyof typeof ARCHITECTURES];
const real = native();
const [EPERM, ENOSYS] = [-1, -38];
/** More than any limit allows. */
const NO_DESCRIPTOR = 1 << 30;

/** A kernel that answers every call alike, and counts. */
function answering(errno: number, calls: number[]): Native {
  return {
    name: 'koffi',
    calls: real.calls,
    syscall: (call) => {
      calls.push(call);
      return errno;
    },
    quick: () => -1,
    arena: (length) => real.arena(length),
    release: (arena) => real.release(arena),
    mapFile: (fd, length, offset) => real.mapFile(fd, length, offset),
  };
}

const [own, other] = [openSync('/dev/null', 'r'), openSync('/dev/null', 'r')];
afterAll(() => {
  for (const fd of [own, other]) closeSync(fd);
});

/* The program is this process itself. */
test.runIf(real.name === 'koffi')('files are told apart by what is behind the descriptor', () => {
  const files = new FileComparison(real, arch, own);
  expect(files.compare(own, process.pid, own)).toBe('same');
  expect(files.compare(own, process.pid, other)).toBe('other');
  expect(files.look(process.pid, other)).toBe('other');
  expect(files.look(process.pid, NO_DESCRIPTOR)).toBe('absent');
});

describe('where the kernel does not compare', () => {
  test('one process, nothing is known of that one', () => {
    const calls: number[] = [];
    const files = new FileComparison(answering(EPERM, calls), arch, own);
    expect(files.compare(own, process.pid, own)).toBe('unknown');
    expect(files.look(process.pid, own)).toBe('unknown');
    expect(calls).toEqual([arch.syscalls.kcmp, arch.syscalls.kcmp]);
  });

  test('at all, it is not asked again', () => {
    const calls: number[] = [];
    const files = new FileComparison(answering(ENOSYS, calls), arch, own);
    expect(files.compare(own, process.pid, own)).toBe('unknown');
    expect(files.compare(own, process.pid, own)).toBe('unknown');
    expect(calls).toHaveLength(1);
  });
});
