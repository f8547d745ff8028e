import { expect, test } from 'vitest';
import { queueLength } from '../../../src/net/packet/device.ts';

const GIB = 2 ** 30;

test.each([
  { memory: GIB / 8, packets: 500 },
  { memory: GIB, packets: 1024 },
  { memory: 8 * GIB, packets: 8192 },
  { memory: 64 * GIB, packets: 16_384 },
])('with $memory bytes of memory, $packets packets may wait', (each) => {
  expect(queueLength(each.memory)).toBe(each.packets);
});
