import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SyncIntake } from '../../src/core/sync-intake.ts';
import { LogLimit } from '../../src/sync/log-limit.ts';
import { Receiver } from '../../src/sync/receiver.ts';
import { SyncCounters } from '../../src/sync/sync-counters.ts';
import { makeDirector } from '../support/core.ts';
import { capturedPayloads } from '../support/sync-captures.ts';

const ESTABLISHED = '201-v1-ipv4-established.pcap';
const CONN_MAX = 50;

describe('a backup', () => {
  test('takes the messages of its syncid alone', () => {
    const { receiver, counters, director } = backup({ syncId: 9 });
    receiver.message(capturedPayloads(ESTABLISHED)[0]!, 'x', 0);
    expect(counters.rejections.other_syncid).toBe(1);
    expect(director.connectionCount).toBe(0);
  });

  test.each([0, 21])('with the syncid %i takes those of 21', (syncId) => {
    const { receiver, counters, director } = backup({ syncId });
    receiver.message(capturedPayloads(ESTABLISHED)[0]!, 'x', 0);
    expect(counters.outcomes).toMatchObject({ created: 2, updated: 2 });
    expect(director.connectionCount).toBe(2);
  });

  test('takes no message longer than sync_maxlen', () => {
    const { receiver, counters } = backup({ maxLen: 151 });
    receiver.message(capturedPayloads(ESTABLISHED)[0]!, 'x', 0);
    expect(counters.rejections.too_long).toBe(1);
  });

  test('counts every record of any message, and its table stays within its bound', () => {
    const { receiver, counters, director } = backup({});
    const originals = [
      '201-v1-ipv4-template.pcap',
      '202-v1-ipv6-udp.pcap',
      '203-v0-a.pcap',
      '206-pe-sip-a.pcap',
    ];
    const messages = originals.flatMap(capturedPayloads);
    const change = fc.record({ at: fc.nat(400), value: fc.integer({ min: 0, max: 255 }) });
    let now = 0;
    fc.assert(
      fc.property(fc.constantFrom(...messages), fc.array(change, { maxLength: 12 }), (original, changes) => {
        const bytes = original.slice();
        for (const { at, value } of changes) bytes[at % bytes.length] = value;
        // Heads are another test's matter.
        bytes.set(original.subarray(0, 8));
        const before = total(counters);
        receiver.message(bytes, 'x', now++);
        expect(total(counters)).toBeGreaterThan(before);
        expect(director.connectionCount).toBeLessThanOrEqual(CONN_MAX);
        expect(director.life.conns.peData.size).toBeLessThanOrEqual(CONN_MAX);
      }),
      { numRuns: 3000 },
    );
    expect(counters.outcomes.table_full).toBeGreaterThan(0);
  });

  test('says five lines in five seconds, and then how many it kept back', () => {
    const lines: string[] = [];
    let now = 0;
    const { receiver } = backup(
      {},
      (line) => lines.push(line),
      () => now,
    );
    for (let n = 0; n < 1000; n++) receiver.message(new Uint8Array(3), '10.0.0.9', 0);
    expect(lines).toEqual(Array(5).fill('sync: a message from 10.0.0.9 is not taken: short'));
    now = 5000;
    receiver.message(new Uint8Array(3), '10.0.0.9', 0);
    expect(lines.slice(5)).toEqual([
      'sync: 995 more lines like the last ones',
      'sync: a message from 10.0.0.9 is not taken: short',
    ]);
  });
});

function backup(
  options: { readonly syncId?: number; readonly maxLen?: number },
  log: (line: string) => void = () => {},
  clock: () => number = () => 0,
) {
  const director = makeDirector({ connMax: CONN_MAX });
  const { life, settings, timeouts, config } = director;
  const counters = new SyncCounters();
  const receiver = new Receiver({
    syncId: 0,
    maxLen: 1472,
    intake: new SyncIntake({ life, settings, timeouts, services: config.services }),
    offers: () => undefined,
    counters,
    problems: new LogLimit(log, clock),
    ...options,
  });
  return { director, counters, receiver };
}

const total = ({ outcomes, rejections }: SyncCounters): number =>
  [...Object.values(outcomes), ...Object.values(rejections)].reduce((sum, count) => sum + count, 0);
