import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { CoreClock } from '../../src/net/clock.ts';

let deadline: number;
let expiredAt: number[];
let clock: CoreClock;

beforeEach(() => {
  vi.useFakeTimers();
  deadline = Infinity;
  expiredAt = [];
  const timed = {
    nextDeadline: () => deadline,
    expire: (now: number) => {
      expiredAt.push(now);
      if (now >= deadline) deadline = Infinity;
    },
  };
  clock = new CoreClock(timed, () => performance.now());
});
afterEach(() => {
  clock.stop();
  vi.useRealTimers();
});

test('a deadline is met when it is due', () => {
  const start = performance.now();
  deadline = start + 250;
  clock.start();
  vi.advanceTimersByTime(249);
  expect(expiredAt).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(expiredAt).toEqual([start + 250]);
});

test('a deadline that comes up while the clock sleeps is at most a second late', () => {
  clock.start();
  vi.advanceTimersByTime(100);
  deadline = performance.now() + 10;
  const due = deadline;
  vi.advanceTimersByTime(1000);
  expect(expiredAt[0]).toBeGreaterThanOrEqual(due);
  expect(expiredAt[0]! - due).toBeLessThan(1000);
});

test('a deadline that it is told of is met when it is due', () => {
  clock.start();
  vi.advanceTimersByTime(100);
  deadline = performance.now() + 10;
  const due = deadline;
  clock.hurry();
  vi.advanceTimersByTime(10);
  expect(expiredAt).toEqual([due]);
});

test('hurrying for a deadline that it meets anyhow leaves its timer alone', () => {
  deadline = performance.now() + 500;
  clock.start();
  const set = vi.fn(setTimeout);
  vi.stubGlobal('setTimeout', set);
  deadline = performance.now() + 700;
  clock.hurry();
  expect(set).not.toHaveBeenCalled();
  vi.unstubAllGlobals();
  vi.advanceTimersByTime(700);
  expect(deadline).toBe(Infinity);
});

test('hurrying does not start a clock', () => {
  clock.hurry();
  vi.advanceTimersByTime(5000);
  expect(expiredAt).toEqual([]);
});

test('an overdue deadline does not make the clock spin', () => {
  deadline = performance.now() - 1000;
  clock.start();
  vi.advanceTimersByTime(0);
  expect(expiredAt).toHaveLength(0);
  vi.advanceTimersByTime(1);
  expect(expiredAt).toHaveLength(1);
});

test('a stopped clock is still, also when stopped by what it calls', () => {
  const stopping = new CoreClock(
    {
      nextDeadline: () => 0,
      expire: (now) => {
        expiredAt.push(now);
        stopping.stop();
      },
    },
    () => performance.now(),
  );
  stopping.start();
  vi.advanceTimersByTime(5000);
  expect(expiredAt).toHaveLength(1);
});
