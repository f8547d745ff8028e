import { describe, expect, test } from 'vitest';
import { ipv4 } from '../../src/core/address.ts';
import type { SyncRecord } from '../../src/core/sync-record.ts';
import { Outbox, type OutboxOptions } from '../../src/sync/outbox.ts';
import { printMessage } from '../../src/sync/wire/print.ts';

const RECORD_BYTES = 36;
const HEAD_BYTES = 8;

describe('records wait in an outbox', () => {
  test('until they are two seconds old', () => {
    const outbox = makeOutbox();
    outbox.add(record(1), 1, 1000);
    outbox.add(record(2), 1, 2500);
    expect(outbox.take(2999)).toBeUndefined();
    expect(countOf(outbox.take(3000))).toBe(2);
    expect(outbox.take(9000)).toBeUndefined();
  });

  test('until a message is full', () => {
    const outbox = makeOutbox({ maxLen: HEAD_BYTES + 3 * RECORD_BYTES });
    const queued = [1, 2, 3, 4, 5, 6, 7].map((n) => outbox.add(record(n), 1, 0));
    expect(queued).toEqual([false, false, false, true, false, false, true]);
    expect([outbox.take(0), outbox.take(0), outbox.take(0)].map(countOf)).toEqual([3, 3, undefined]);
  });

  test('apart by their format', () => {
    const outbox = makeOutbox();
    outbox.add(record(1), 1, 0);
    expect(outbox.add(record(2), 0, 0)).toBe(true);
    expect(printMessage(outbox.take(0)!)).toContain('format 1');
    expect(printMessage(outbox.take(2000)!)).toContain('format 0');
  });

  test('each alone if a message may have no more', () => {
    const outbox = makeOutbox({ maxLen: 1 });
    for (let n = 0; n < 3; n++) outbox.add(record(n), 1, 0);
    expect([outbox.take(0), outbox.take(0), outbox.take(2000)].map(countOf)).toEqual([1, 1, 1]);
  });
});

test.each([
  ['as many messages wait as may', { queueMax: () => 2 }],
  ['as many bytes wait as may', { queueMaxBytes: 2 * (HEAD_BYTES + RECORD_BYTES) }],
])('the newest message is thrown away when %s', (_, options) => {
  const outbox = makeOutbox({ maxLen: HEAD_BYTES + RECORD_BYTES, ...options });
  for (let n = 1; n <= 5; n++) outbox.add(record(n), 1, 0);
  expect({ waiting: outbox.waiting, dropped: outbox.dropped }).toEqual({ waiting: 2, dropped: 2 });
  expect(printMessage(outbox.take(0)!)).toContain('10.1.0.1:1 ');
  outbox.add(record(6), 1, 0);
  expect(outbox.waiting).toBe(2);
});

test('memory that came back shows nothing of the message before', () => {
  const outbox = makeOutbox({ maxLen: HEAD_BYTES + 2 * RECORD_BYTES });
  for (const n of [1, 2]) outbox.add(record(n), 1, 0);
  const first = outbox.take(2000)!;
  outbox.recycle(first);
  outbox.add(record(3), 1, 3000);
  const second = outbox.take(5000)!;
  expect(second.buffer).toBe(first.buffer);
  expect(printMessage(second).split('\n')).toHaveLength(2);
  expect(printMessage(second)).toContain('10.1.0.1:3 ');
});

function makeOutbox(options: Partial<OutboxOptions> = {}): Outbox {
  return new Outbox({ syncId: 1, maxLen: 1472, queueMax: () => 100, queueMaxBytes: 1 << 20, ...options });
}

function record(cport: number): SyncRecord {
  const ends = { caddr: ipv4(0x0a010001), vaddr: ipv4(0x0a000001), daddr: ipv4(0x0a020001) };
  const numbers = {
    protocol: 6,
    flags: 0,
    state: 1,
    cport,
    vport: 80,
    dport: 80,
    fwmark: 0,
    timeoutSec: 900,
  };
  return { ...ends, ...numbers, sequences: undefined, peName: '', peData: '' };
}

const countOf = (message: Uint8Array | undefined): number | undefined =>
  message && printMessage(message).split('\n').length - 1;
