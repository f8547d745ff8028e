import { describe, expect, test } from 'vitest';
import { type Native, native } from '../../src/net/ffi/native.ts';
import { ARCHITECTURES } from '../../src/run/abi.ts';
import { makeFilter } from '../../src/run/filter.ts';
import { hasProc, installFilter, ListenerExists } from '../../src/run/install-filter.ts';

const ARCH = ARCHITECTURES.x64;
const FILTER = makeFilter(ARCH, { low: 896, high: 1024 }, 'off');
const [SECCOMP, PRCTL] = [ARCH.syscalls.seccomp, ARCH.syscalls.prctl];

describe('putting the filter in place', () => {
  test('takes no privileges away where it may', () => {
    const kernel = new Kernel([5]);
    expect(installFilter(kernel.native, ARCH, FILTER)).toBe(5);
    expect(kernel.made).toEqual([SECCOMP]);
    // A listener, and calls that are being answered are interrupted by fatal signals only.
    expect(kernel.flags).toEqual([8 | 32]);
  });

  test('gives up set-uid programs where that is the price', () => {
    const kernel = new Kernel([-13, 6]);
    expect(installFilter(kernel.native, ARCH, FILTER)).toBe(6);
    expect(kernel.made).toEqual([SECCOMP, PRCTL, SECCOMP]);
  });

  test('tells a listener that is there already', () => {
    expect(() => installFilter(new Kernel([-16]).native, ARCH, FILTER)).toThrow(ListenerExists);
  });

  test.each([
    {
      when: 'the kernel is too old',
      errno: 22,
      says: /^watch .*WAIT_KILLABLE_RECV\); Linux 5\.19 or newer would help$/,
    },
    {
      when: 'there is no seccomp',
      errno: 38,
      says: /has no seccomp\(2\), or something hides it; Linux 5\.19/,
    },
    {
      when: 'a container forbids it',
      errno: 1,
      says: /forbidden here \(EPERM\); a container profile that allows/,
    },
    { when: 'something else fails', errno: 12, says: /seccomp\(2\) fails with errno 12$/ },
  ])('says what is missing when $when', ({ errno, says }) => {
    expect(() => installFilter(new Kernel([-errno]).native, ARCH, FILTER)).toThrow(says);
  });
});

test('this machine has a /proc of its own', () => {
  expect(hasProc()).toBe(true);
});

/** A kernel that answers seccomp() as it is told, and remembers what it was asked. */
class Kernel {
  readonly made: number[] = [];
  readonly flags: number[] = [];
  readonly native: Native;

  constructor(answers: readonly number[]) {
    const left = [...answers];
    const real = native();
    this.native = {
      name: real.name,
      calls: real.calls,
      syscall: (call, _operation = 0, flags = 0) => {
        this.made.push(call);
        if (call !== SECCOMP) return 0;
        this.flags.push(flags);
        return left.shift() ?? 0;
      },
      quick: () => -1,
      arena: (length) => real.arena(length),
      release: (arena) => real.release(arena),
      mapFile: (fd, length, offset) => real.mapFile(fd, length, offset),
    };
  }
}
