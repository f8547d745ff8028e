import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { ARCHITECTURES } from '../../src/run/abi.ts';
import { mayBeOurs, procTarget } from '../../src/run/proc-paths.ts';
import { statBytes, statxBytes } from '../../src/run/stat-bytes.ts';

test.each([
  { path: '/proc/net/ip_vs', target: { kind: 'text', name: 'ip_vs' } },
  { path: '/proc/self/net/ip_vs_conn', target: { kind: 'text', name: 'ip_vs_conn' } },
  { path: '/proc/thread-self/net/ip_vs_stats', target: { kind: 'text', name: 'ip_vs_stats' } },
  { path: '/proc/12/net/ip_vs_app', target: { kind: 'text', name: 'ip_vs_app' } },
  { path: '/proc/12/task/13/net/ip_vs_app', target: { kind: 'text', name: 'ip_vs_app' } },
  { path: '/proc//net/./ip_vs', target: { kind: 'text', name: 'ip_vs' } },
  { path: '/proc/sys/net/ipv4/vs', target: { kind: 'settings' } },
  { path: '/proc/sys/net/ipv4/vs/', target: { kind: 'settings' } },
  { path: '/proc/sys/net/ipv4/vs/conntrack', target: { kind: 'setting', name: 'conntrack' } },
  { path: '/proc/sys/net/ipv4/vs/../ip_forward', target: undefined },
  { path: '/proc/sys/net/ipv4/vs/toString', target: undefined },
  { path: '/proc/sys/net/ipv4/vs/conntrack/x', target: undefined },
  { path: '/proc/net/ip_vs_other', target: undefined },
  { path: '/proc/net/ip_vsx/ip_vs', target: undefined },
  { path: '/tmp/proc/net/ip_vs', target: undefined },
  { path: '/process/net/ip_vs', target: undefined },
  { path: '/proc/net', target: undefined },
])('$path stands for $target', ({ path, target }) => {
  expect(procTarget(path)).toEqual(target);
});

test.each([
  { path: 'ip_vs_conn', may: true },
  { path: '../vs', may: true },
  { path: 'vs/conntrack', may: true },
  { path: 'index.html', may: false },
  { path: '', may: false },
])('the relative path "$path" may be ours: $may', ({ path, may }) => {
  expect(mayBeOurs(path)).toBe(may);
});

describe("a file's status", () => {
  test.each([
    { arch: 'x64', at: 24, size: 144 },
    { arch: 'arm64', at: 16, size: 128 },
  ] as const)('has its mode where $arch has it', ({ arch, at, size }) => {
    const bytes = Buffer.from(
      statBytes(ARCHITECTURES[arch].stat, { isDirectory: false, permissions: 0o644 }),
    );
    expect([bytes.length, bytes.readUInt32LE(at)]).toEqual([size, 0o100644]);
  });

  test("has the form of statx() that the kernel's header has", () => {
    const bytes = Buffer.from(statxBytes({ isDirectory: true, permissions: 0o555 }));
    expect([bytes.length, bytes.readUInt16LE(28), bytes.readUInt32LE(16)]).toEqual([256, 0o040555, 1]);
  });

  test('is what stat(1) shows of a file in /proc, but for numbers and times', () => {
    const shown = execFileSync('stat', ['-c', '%a %u %g %s %h %F', '/proc/sys/net/ipv4/ip_forward'], {
      encoding: 'utf8',
    });
    expect(shown).toBe('644 0 0 0 1 regular empty file\n');
  });
});
