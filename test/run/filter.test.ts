import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ARCHITECTURES, type SyscallName } from '../../src/run/abi.ts';
import { assemble, give, ifEqual, label, load } from '../../src/run/bpf.ts';
import { makeFilter, PROC_MODES, VERDICT, windowBelow } from '../../src/run/filter.ts';
import { runFilter } from './bpf-machine.ts';

const WINDOW = { low: 896, high: 1024 };
const { ALLOW, NOTIFY } = VERDICT;

/** Numbers by architecture, written down apart from the program's tables. */
const NUMBERS = {
  x64: {
    arch: 0xc000003e,
    socket: 41,
    sendmsg: 46,
    read: 0,
    fcntl: 72,
    getsockopt: 55,
    openat: 257,
    newfstatat: 262,
    statx: 332,
    execve: 59,
  },
  arm64: {
    arch: 0xc00000b7,
    socket: 198,
    sendmsg: 211,
    read: 63,
    fcntl: 25,
    getsockopt: 209,
    openat: 56,
    newfstatat: 79,
    statx: 291,
    execve: 221,
  },
} as const;

describe.each(['x64', 'arm64'] as const)('the filter of %s', (name) => {
  const { arch, ...numbers } = NUMBERS[name];
  const verdict = (
    proc: 'off' | 'fopen' | 'all',
    call: Exclude<keyof typeof numbers, 'arch'>,
    ...args: number[]
  ) => runFilter(makeFilter(ARCHITECTURES[name], WINDOW, proc), { arch, number: numbers[call], args });

  test.each([
    { what: 'generic netlink', args: [16, 3, 16], result: NOTIFY },
    { what: 'routing netlink', args: [16, 3, 0], result: ALLOW },
    { what: 'TCP', args: [2, 1, 0], result: ALLOW },
    { what: 'another family of protocol 16', args: [2, 3, 16], result: ALLOW },
  ])('on socket() for $what', ({ args, result }) => {
    expect(verdict('off', 'socket', ...args)).toBe(result);
  });

  test.each([
    { fd: 895, result: ALLOW },
    { fd: 896, result: NOTIFY },
    { fd: 1023, result: NOTIFY },
    { fd: 1024, result: ALLOW },
    { fd: -1, result: ALLOW },
  ])('on calls with descriptor $fd', ({ fd, result }) => {
    expect([verdict('off', 'read', fd), verdict('off', 'sendmsg', fd)]).toEqual([result, result]);
  });

  test.each([
    { what: 'F_DUPFD in the window', args: [900, 0, 0], result: NOTIFY },
    { what: 'F_DUPFD_CLOEXEC in the window', args: [900, 1030, 0], result: NOTIFY },
    { what: 'F_DUPFD elsewhere', args: [3, 0, 0], result: ALLOW },
    { what: 'F_GETFL in the window', args: [900, 3, 0], result: ALLOW },
  ])('on fcntl() with $what', ({ args, result }) => {
    expect(verdict('off', 'fcntl', ...args)).toBe(result);
  });

  test.each([
    { what: 'the first option of IPVS', args: [3, 0, 1152], result: NOTIFY },
    { what: 'the last one', args: [3, 0, 1167], result: NOTIFY },
    { what: 'the option before', args: [3, 0, 1151], result: ALLOW },
    { what: 'the option behind', args: [3, 0, 1168], result: ALLOW },
    { what: 'another level', args: [3, 1, 1152], result: ALLOW },
  ])('on getsockopt() with $what', ({ args, result }) => {
    expect(verdict('off', 'getsockopt', ...args)).toBe(result);
  });

  test.each([
    { proc: 'off', flags: 0, result: ALLOW },
    { proc: 'fopen', flags: 0, result: NOTIFY },
    { proc: 'fopen', flags: 0o2000000, result: ALLOW },
    { proc: 'fopen', flags: 0o2000001, result: NOTIFY },
    { proc: 'all', flags: 0o2000000, result: NOTIFY },
  ] as const)('on openat() in mode $proc with flags $flags', ({ proc, flags, result }) => {
    expect(verdict(proc, 'openat', -100, 0, flags)).toBe(result);
  });

  test.each([
    { proc: 'fopen', flags: 0, result: ALLOW },
    { proc: 'all', flags: 0, result: NOTIFY },
    { proc: 'all', flags: 0x1000, result: ALLOW },
  ] as const)('on stat() in mode $proc with flags $flags', ({ proc, flags, result }) => {
    expect(verdict(proc, 'newfstatat', 3, 0, 0, flags)).toBe(result);
    expect(verdict(proc, 'statx', 3, 0, flags)).toBe(result);
  });

  test('lets every other call through, and those of other architectures', () => {
    const watched = new Set(Object.values(ARCHITECTURES[name].syscalls));
    for (const proc of PROC_MODES) {
      const filter = makeFilter(ARCHITECTURES[name], WINDOW, proc);
      for (let number = 0; number < 600; number++) {
        const args = [900, 0, 1160, 0, 0, 0];
        if (!watched.has(number)) expect(runFilter(filter, { arch, number, args })).toBe(ALLOW);
        expect(runFilter(filter, { arch: 0x40000003, number, args })).toBe(ALLOW);
        expect(runFilter(filter, { arch, number: number | 0x40000000, args })).toBe(ALLOW);
      }
    }
  });
});

const HEADERS = {
  x64: '/usr/include/x86_64-linux-gnu/asm/unistd_64.h',
  arm64: '/usr/include/asm-generic/unistd.h',
} as const;

describe.each(['x64', 'arm64'] as const)('the system calls of %s', (name) => {
  test.skipIf(isHeaderMissing(HEADERS[name]))("have the numbers of the kernel's header", () => {
    const header = readFileSync(HEADERS[name], 'latin1');
    const numberOf = (call: string): number | undefined => {
      const found = new RegExp(
        `^#define (?:__NR|__NR3264)_${call === 'newfstatat' && name === 'arm64' ? 'fstatat' : call}\\s+(\\d+)`,
        'm',
      ).exec(header);
      return found ? Number(found[1]) : undefined;
    };
    const { syscalls } = ARCHITECTURES[name];
    for (const call of Object.keys(syscalls) as SyscallName[]) {
      expect([call, syscalls[call]]).toEqual([call, numberOf(call)]);
    }
  });
});

test.each([
  { limit: 1_048_576, window: { low: 896, high: 1024 } },
  { limit: 1024, window: { low: 896, high: 1024 } },
  { limit: 256, window: { low: 128, high: 256 } },
  { limit: 64, window: { low: 3, high: 64 } },
])(
  'with a limit of $limit descriptors the window ends at $window.high, within reach of select()',
  ({ limit, window }) => {
    expect(windowBelow(limit)).toEqual(window);
  },
);

describe('the assembler', () => {
  test('jumps to labels ahead', () => {
    const program = assemble([load(0), ifEqual(7, 'yes', 'no'), label('yes'), give(1), label('no'), give(2)]);
    expect([...program]).toEqual([
      0x20, 0, 0, 0, 0, 0, 0, 0, 0x15, 0, 0, 1, 7, 0, 0, 0, 6, 0, 0, 0, 1, 0, 0, 0, 6, 0, 0, 0, 2, 0, 0, 0,
    ]);
  });

  test.each([
    { what: 'unknown', program: [ifEqual(1, 'nowhere')] },
    { what: 'behind', program: [label('back'), load(0), ifEqual(1, 'back')] },
    {
      what: 'too far',
      program: [ifEqual(1, 'far'), ...Array.from({ length: 256 }, () => load(0)), label('far')],
    },
  ])('refuses a label that is $what', ({ program }) => {
    expect(() => assemble(program)).toThrow('no jump to');
  });
});

function isHeaderMissing(path: string): boolean {
  const isMissing = !existsSync(path);
  if (isMissing) process.stderr.write(`skipped: no ${path} on this machine\n`);
  return isMissing;
}
