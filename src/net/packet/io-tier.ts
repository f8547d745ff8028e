import { closeSync } from 'node:fs';
import { DeviceError, errnoText } from '../device-error.ts';
import { type Native, native } from '../ffi/native.ts';
import type { Drain, IoTier } from './drain.ts';
import { SyncDrain } from './sync-drain.ts';
import { openNode } from './tun.ts';
import { Uring } from './uring.ts';
import { UringDrain } from './uring-drain.ts';

/** What `--io` may say. */
export const IO_CHOICES = ['auto', 'uring', 'sync'] as const;

export type IoChoice = (typeof IO_CHOICES)[number];

/** How packets are moved, and why so, for people. */
export interface IoDecision {
  readonly tier: IoTier;
  readonly reason: string;
}

/** What the TUN driver answers to a read from a node that belongs to no device yet. */
const EBADFD = -77;
const EOPNOTSUPP = -95;
const EINVAL = -22;

/**
 * Decides how packets are moved.
 * @param obstacle what keeps this process from io_uring, `undefined` if nothing does
 * @throws DeviceError if what was asked for cannot be
 */
export function chooseTier(choice: IoChoice, obstacle: string | undefined): IoDecision {
  if (choice === 'sync') return { tier: 'sync', reason: 'asked for' };
  if (choice === 'uring') {
    if (obstacle !== undefined) throw new DeviceError('move packets by io_uring', obstacle);
    return { tier: 'uring', reason: 'asked for' };
  }
  return obstacle === undefined
    ? { tier: 'uring', reason: 'io_uring works here' }
    : { tier: 'sync', reason: `no io_uring: ${obstacle}` };
}

/** @param kernel for tests. @throws DeviceError if the kernel does not allow io_uring */
export function createDrain(tier: IoTier, kernel: Native = native()): Drain {
  return tier === 'uring' ? new UringDrain(kernel) : new SyncDrain(kernel);
}

/**
 * Tries io_uring with the TUN driver, without making a device.
 * @returns what keeps this process from it in one line, `undefined` if nothing does
 */
export function uringObstacle(): string | undefined {
  try {
    const node = openNode();
    try {
      return readObstacle(node);
    } finally {
      closeSync(node);
    }
  } catch (error) {
    if (error instanceof DeviceError) return error.message;
    throw error;
  }
}

function readObstacle(node: number): string | undefined {
  const ring = new Uring(4);
  const memory = native().arena(16);
  try {
    ring.read(node, memory.address, memory.bytes.length);
    ring.run();
    switch (ring.result(0)) {
      case EBADFD:
        return undefined;
      case EOPNOTSUPP:
      case EINVAL:
        return "this kernel's TUN driver cannot be read without waiting";
      default:
        return `read ${errnoText(-ring.result(0))}`;
    }
  } finally {
    ring.close();
    native().release(memory);
  }
}
