import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { DeviceRecovery } from '../../../src/net/packet/device-recovery.ts';

let lines: string[];
let attempts: number;
let refusal: string | undefined;
let recovery: DeviceRecovery;

beforeEach(() => {
  vi.useFakeTimers();
  lines = [];
  attempts = 0;
  refusal = undefined;
  recovery = new DeviceRecovery({
    reopen: () => {
      attempts++;
      return refusal === undefined ? Promise.resolve() : Promise.reject(new Error(refusal));
    },
    log: (line) => lines.push(line),
    now: () => Date.now(),
  });
});
afterEach(() => {
  recovery.close();
  vi.useRealTimers();
});

test('a lost device is a problem until it is open again', async () => {
  recovery.lost('uipvs0', 'EBADFD');
  expect(recovery.problems()).toEqual(['device uipvs0 is lost: EBADFD']);
  await vi.advanceTimersByTimeAsync(50);
  expect(recovery.problems()).toEqual([]);
  expect(lines).toEqual(['device uipvs0 is lost: EBADFD', 'device uipvs0 is there again']);
});

test('it is tried less and less often, and each reason is told once', async () => {
  refusal = 'no more devices';
  recovery.lost('uipvs0', 'EBADFD');
  await vi.advanceTimersByTimeAsync(60_000);
  // After 50 ms, 100, 200 ... and then every 10 s.
  expect(attempts).toBe(12);
  expect(recovery.problems()).toEqual(['device uipvs0 is lost: no more devices']);
  expect(lines).toEqual([
    'device uipvs0 is lost: EBADFD',
    'device uipvs0 cannot be opened again: no more devices',
  ]);
  refusal = undefined;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(lines.at(-1)).toBe('device uipvs0 is there again');
});

test('one that is taken away again and again is waited for longer each time, until it has stayed', async () => {
  for (const waitMs of [50, 100, 200]) {
    recovery.lost('uipvs0', 'EBADFD');
    const before = attempts;
    await vi.advanceTimersByTimeAsync(waitMs - 1);
    expect(attempts).toBe(before);
    await vi.advanceTimersByTimeAsync(1);
    expect(attempts).toBe(before + 1);
  }
  await vi.advanceTimersByTimeAsync(10_001);
  recovery.lost('uipvs0', 'EBADFD');
  await vi.advanceTimersByTimeAsync(50);
  expect(attempts).toBe(4);
});

test.each([
  ['forgotten', () => recovery.forget('uipvs0')],
  ['left at the end', () => recovery.close()],
])('a device that is %s is not opened again', async (_how, end) => {
  recovery.lost('uipvs0', 'EBADFD');
  end();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(attempts).toBe(0);
  expect(recovery.problems()).toEqual([]);
});
