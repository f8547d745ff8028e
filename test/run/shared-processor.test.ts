import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { native } from '../../src/net/ffi/native.ts';
import { ARCHITECTURES } from '../../src/run/abi.ts';
import { SharedProcessor } from '../../src/run/shared-processor.ts';

const arch = ARCHITECTURES[process.arch as keyof typeof ARCHITECTURES];
const real = native();

const processorsOf = (pid: number): string =>
  /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))![1]!;

test('a thread runs on one processor meanwhile, and where it could before afterwards', async () => {
  const child = spawn('sleep', ['60']);
  await once(child, 'spawn');
  const pid = child.pid!;
  const before = processorsOf(pid);
  const shared = new SharedProcessor(real, arch);
  const meanwhile = shared.during(pid, () => processorsOf(pid));
  if (real.name === 'koffi') expect(meanwhile).toMatch(/^\d+$/);
  else expect(meanwhile).toBe(before);
  expect(processorsOf(pid)).toBe(before);
  expect(() =>
    shared.during(pid, () => {
      throw new Error('refused');
    }),
  ).toThrow('refused');
  expect(processorsOf(pid)).toBe(before);
  child.kill();
  await once(child, 'exit');
});

test('what cannot be confined is performed all the same', () => {
  expect(new SharedProcessor(real, arch).during(2 ** 30, () => 7)).toBe(7);
});
