import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Native, native } from '../../../src/net/ffi/native.ts';
import { Precedence } from '../../../src/net/packet/precedence.ts';

const OTHER = 0;
const RR = 2 | 0x40000000;

/** A kernel that notes each policy with its priority. */
class Scheduler {
  readonly chosen: [number, number][] = [];
  readonly native: Native;
  refuses = false;
  private readonly memory = native().arena(4096);

  constructor(policy = OTHER) {
    const real = native();
    this.native = {
      name: real.name,
      calls: real.calls,
      syscall: () => policy,
      quick: (_call, _tid, chosen, address) => {
        if (this.refuses) return -1;
        this.chosen.push([chosen, this.memory.view.getInt32(address - this.memory.address, true)]);
        return 0;
      },
      arena: () => this.memory,
      release: () => {},
      mapFile: () => this.memory,
    };
  }
}

let scheduler: Scheduler;
let precedence: Precedence;
let packets = 0;

beforeEach(() => {
  scheduler = new Scheduler();
  precedence = new Precedence(scheduler.native);
  packets = 0;
});
afterEach(() => precedence.close());

function wake(now: number, count = 1): void {
  precedence.take(now, packets);
  packets += count;
  precedence.giveBack();
}

test('a wake has it to its end', () => {
  wake(1000);
  expect(scheduler.chosen).toEqual([
    [RR, 1],
    [OTHER, 0],
  ]);
});

test('wakes with many packets go without, until there are few again', () => {
  for (let i = 0; i < 100; i++) wake(1000 + i / 20, 2);
  expect(scheduler.chosen).toHaveLength(60);
  for (let i = 0; i < 10; i++) wake(1011 + i);
  expect(scheduler.chosen).toHaveLength(60);
  wake(1022);
  expect(scheduler.chosen).toHaveLength(62);
});

test('a flood is left to the scheduler, however few its wakes are', () => {
  for (let i = 0; i < 100; i++) wake(1000 + 2 * i, 500);
  expect(scheduler.chosen).toHaveLength(2);
});

test('where it is refused it is not asked for again', () => {
  scheduler.refuses = true;
  wake(1000);
  scheduler.refuses = false;
  wake(1001);
  expect(scheduler.chosen).toEqual([]);
});

test('a thread whose scheduling was chosen keeps it', () => {
  const chosen = new Scheduler(1);
  const none = new Precedence(chosen.native);
  none.take(1000, 0);
  none.giveBack();
  expect(chosen.chosen).toEqual([]);
});
