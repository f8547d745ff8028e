import { closeSync, constants, readSync, writeSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Native, native } from '../../../src/net/ffi/native.ts';
import { chooseTier } from '../../../src/net/packet/io-tier.ts';
import { Uring } from '../../../src/net/packet/uring.ts';
import { lacksTier } from '../../support/uring.ts';

const EAGAIN = -11;
const EBADF = -9;
const CAPACITY = 8;

describe.skipIf(lacksTier('uring'))('rounds of io_uring', () => {
  const memory = native().arena(4096);
  let ring: Uring;
  let near = -1;
  let far = -1;
  beforeEach(() => {
    ring = new Uring(CAPACITY);
    [near, far] = socketPair();
  });
  afterEach(() => {
    ring.close();
    for (const fd of [near, far]) closeSync(fd);
  });

  /** Writes as many letters as a round takes, the first of them `from`. */
  function writeLetters(from: number): void {
    for (let i = 0; i < CAPACITY; i++) {
      memory.bytes[i] = from + i;
      expect(ring.write(near, memory.address + i, 1)).toBe(i);
    }
  }

  function receive(count: number): string {
    const buffer = Buffer.alloc(1);
    return Array.from({ length: count }, () => {
      readSync(far, buffer);
      return buffer.toString('latin1');
    }).join('');
  }

  test('carry writes out in their order, round after round', () => {
    for (let round = 0; round < 100; round++) {
      writeLetters(65 + (round % 20));
      expect(ring.added).toBe(CAPACITY);
      ring.run();
      expect(ring.added).toBe(0);
      for (let i = 0; i < CAPACITY; i++) expect(ring.result(i)).toBe(1);
      expect(receive(CAPACITY)).toBe(memory.bytes.toString('latin1', 0, CAPACITY));
    }
  });

  test('give each operation its own result', () => {
    writeSync(far, 'one');
    writeSync(far, 'three');
    ring.read(near, memory.address, 64);
    ring.read(-1, memory.address, 64);
    ring.read(near, memory.address + 64, 64);
    ring.read(near, memory.address + 128, 64);
    ring.write(near, memory.address, 3);
    ring.run();
    expect([0, 1, 2, 3, 4].map((i) => ring.result(i))).toEqual([3, EBADF, 5, EAGAIN, 3]);
    expect(memory.bytes.toString('latin1', 64, 69)).toBe('three');
  });

  test('do not wait for room', () => {
    let written = 0;
    let refused = 0;
    while (refused === 0) {
      for (let i = 0; i < CAPACITY; i++) ring.write(near, memory.address, 4096);
      ring.run();
      for (let i = 0; i < CAPACITY; i++) {
        if (ring.result(i) === 4096) written++;
        else refused = ring.result(i);
      }
    }
    expect(written).toBeGreaterThan(10);
    expect(refused).toBe(EAGAIN);
  });

  test.each([
    { when: 'takes nothing at first', taken: 0 },
    { when: 'takes some at first', taken: 3 },
  ])('are complete and in order when the kernel $when', ({ taken }) => {
    const kernel = native();
    let isFirst = true;
    const reluctant: Native = {
      name: kernel.name,
      calls: kernel.calls,
      syscall: (...words) => kernel.syscall(...words),
      arena: (length) => kernel.arena(length),
      release: (arena) => kernel.release(arena),
      mapFile: (...words) => kernel.mapFile(...words),
      quick: (call, fd, count, c, d) => {
        if (!isFirst) return kernel.quick(call, fd, count, c, d);
        isFirst = false;
        return taken === 0 ? -1 : kernel.quick(call, fd, taken, c, d);
      },
    };
    ring.close();
    ring = new Uring(CAPACITY, reluctant);
    for (let round = 0; round < 3; round++) {
      writeLetters(65);
      ring.run();
      for (let i = 0; i < CAPACITY; i++) expect(ring.result(i)).toBe(1);
      expect(receive(CAPACITY)).toBe('ABCDEFGH');
    }
  });

  test('say so when the kernel does not take them at all', () => {
    const kernel = native();
    const broken = new Uring(CAPACITY, {
      name: kernel.name,
      calls: kernel.calls,
      syscall: (call, ...words) =>
        call === kernel.calls.io_uring_enter ? EBADF : kernel.syscall(call, ...words),
      arena: (length) => kernel.arena(length),
      release: (arena) => kernel.release(arena),
      mapFile: (...words) => kernel.mapFile(...words),
      quick: () => -1,
    });
    broken.write(near, memory.address, 1);
    expect(() => broken.run()).toThrow('move packets by io_uring: EBADF');
    broken.close();
  });
});

/** Ends that keep the bounds of packets and never wait. */
function socketPair(): [number, number] {
  const memory = native().arena(8);
  const [AF_UNIX, SOCK_SEQPACKET] = [1, 5];
  const { calls } = native();
  const type = SOCK_SEQPACKET | constants.O_NONBLOCK;
  expect(native().syscall(calls.socketpair, AF_UNIX, type, 0, memory.address)).toBe(0);
  const pair: [number, number] = [memory.view.getInt32(0, true), memory.view.getInt32(4, true)];
  native().release(memory);
  return pair;
}

test.each([
  { choice: 'auto', obstacle: undefined, tier: 'uring', reason: 'io_uring works here' },
  { choice: 'auto', obstacle: 'EPERM', tier: 'sync', reason: 'no io_uring: EPERM' },
  { choice: 'sync', obstacle: undefined, tier: 'sync', reason: 'asked for' },
  { choice: 'sync', obstacle: 'EPERM', tier: 'sync', reason: 'asked for' },
  { choice: 'uring', obstacle: undefined, tier: 'uring', reason: 'asked for' },
] as const)('--io $choice is $tier where the obstacle is $obstacle', ({ choice, obstacle, tier, reason }) => {
  expect(chooseTier(choice, obstacle)).toEqual({ tier, reason });
});

test('io_uring that was asked for and cannot be had is refused', () => {
  expect(() => chooseTier('uring', 'set up io_uring: EPERM')).toThrow(
    'move packets by io_uring: set up io_uring: EPERM',
  );
});
