import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EntryRecords } from '../../src/core/entry-records.ts';
import { TimerWheel } from '../../src/core/timer-wheel.ts';
import { sec } from '../support/core.ts';

const IDS = 8;
const DAY_SEC = 86_400;

describe('timer wheel', () => {
  test.each([0, 1, 127, 128, 1000, sec(900), sec(1048), sec(1049), sec(31 * DAY_SEC)])(
    'fires a timer of %i ms at its deadline and not before',
    (delay) => {
      const wheel = new TimerWheel(new EntryRecords(IDS), 0);
      wheel.arm(3, delay);
      expect(fired(wheel, delay - 1)).toEqual([]);
      expect(fired(wheel, delay)).toEqual([3]);
      expect(wheel.nextDeadline()).toBe(Number.POSITIVE_INFINITY);
    },
  );

  test('moves a timer to an earlier deadline', () => {
    const wheel = new TimerWheel(new EntryRecords(IDS), 0);
    wheel.arm(0, sec(900));
    wheel.restart(0, 0, 10);
    expect(fired(wheel, sec(10))).toEqual([0]);
  });

  test('lets a firing timer cancel another one of the same moment', () => {
    const wheel = new TimerWheel(new EntryRecords(IDS), 0);
    for (const id of [0, 1, 2]) wheel.arm(id, 500);
    const seen: number[] = [];
    wheel.expire(500, (id) => {
      seen.push(id);
      for (const other of [0, 1, 2]) if (other !== id && seen.length === 1) wheel.cancel(other);
    });
    expect(seen).toHaveLength(1);
    expect(fired(wheel, sec(60))).toEqual([]);
  });

  test('fires a timer that asks for it after the others of its moment, unless it is cancelled meanwhile', () => {
    for (const cancelled of [false, true]) {
      const wheel = new TimerWheel(new EntryRecords(IDS), 0);
      for (const id of [0, 1, 2]) wheel.arm(id, 500);
      const seen: string[] = [];
      wheel.expire(500, (id, isLast) => {
        seen.push(isLast ? `${id} again` : `${id}`);
        if (cancelled && id === 0) wheel.cancel(2);
        return id === 2 && !isLast;
      });
      expect(seen.sort()).toEqual(cancelled ? ['0', '1', '2'] : ['0', '1', '2', '2 again']);
      expect(wheel.nextDeadline()).toBe(Number.POSITIVE_INFINITY);
    }
  });

  test('behaves as a plain list of deadlines under any sequence of calls', () => {
    const delay = fc.oneof(fc.nat(2000), fc.nat(sec(2000)));
    const step = fc.record({ what: fc.constantFrom('set', 'cancel', 'pass'), id: fc.nat(IDS - 1), delay });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const wheel = new TimerWheel(new EntryRecords(IDS), 0);
        const deadlines = new Map<number, number>();
        let now = 0;
        for (const { what, id, delay: ms } of steps) {
          if (what === 'set') {
            const seconds = Math.floor(ms / 1000);
            if (deadlines.has(id)) wheel.restart(id, now, seconds);
            else wheel.arm(id, now + ms);
            deadlines.set(id, now + (deadlines.has(id) ? sec(seconds) : ms));
          } else if (what === 'cancel') {
            if (deadlines.delete(id)) wheel.cancel(id);
          } else {
            now += ms;
            const due = [...deadlines].filter(([, at]) => at <= now).map(([each]) => each);
            expect(fired(wheel, now).sort()).toEqual(due.sort());
            for (const each of due) deadlines.delete(each);
          }
          const earliest = Math.min(...deadlines.values());
          expect(wheel.nextDeadline()).toBeLessThanOrEqual(earliest);
        }
      }),
    );
  });

  test('makes progress from deadline to deadline', () => {
    const wheel = new TimerWheel(new EntryRecords(IDS), 0);
    wheel.arm(0, sec(10_000));
    let now = 0;
    let calls = 0;
    while (wheel.nextDeadline() !== Number.POSITIVE_INFINITY) {
      expect(wheel.nextDeadline()).toBeGreaterThan(now);
      now = wheel.nextDeadline();
      fired(wheel, now);
      calls++;
    }
    expect(now).toBe(sec(10_000));
    expect(calls).toBeLessThan(30);
  });
});

function fired(wheel: TimerWheel, now: number): number[] {
  const ids: number[] = [];
  wheel.expire(now, (id) => ids.push(id));
  return ids;
}
