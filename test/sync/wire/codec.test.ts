import { readdirSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SyncRecord } from '../../../src/core/sync-record.ts';
import { type MessageHead, parseHead, type SyncVersion } from '../../../src/sync/wire/message.ts';
import { printMessage } from '../../../src/sync/wire/print.ts';
import { parseRecords } from '../../../src/sync/wire/reader.ts';
import { MessageWriter } from '../../../src/sync/wire/writer.ts';
import { capturedPayloads } from '../../support/sync-captures.ts';
import { recordV0, recordV1 } from '../arbitraries.ts';

const CAPTURES = readdirSync(new URL('../../golden/sync/', import.meta.url)).filter((name) =>
  name.endsWith('.pcap'),
);
const DATAGRAM = 65_507;

describe('what a kernel sent', () => {
  test.each(CAPTURES)('%s is read whole and written again to the same bytes', (name) => {
    const payloads = capturedPayloads(name);
    expect(payloads.length).toBeGreaterThan(0);
    for (const bytes of payloads) {
      const head = headOf(bytes);
      const { records, faults } = parseRecords(bytes, head);
      expect(faults).toEqual([]);
      expect(records).toHaveLength(head.count);
      expect(hex(written(head.version, head.syncId, records))).toBe(hex(bytes));
    }
  });

  test.each([
    [
      '201-v1-ipv4-closed.pcap',
      [
        'sync message format 1 syncid 21 records 3 bytes 116',
        '6 10.1.0.1:20001 -> 10.0.0.1:80 -> 10.2.0.2:80 state 4 flags 00000183 timeout 120',
        '6 10.1.0.1:20002 -> 10.0.0.1:80 -> 10.2.0.1:8080 state 7 flags 00000100 timeout 60',
        '6 10.1.0.1:20002 -> 10.0.0.1:80 -> 10.2.0.1:8080 state 5 flags 00000100 timeout 120',
      ],
    ],
    [
      '202-v1-ipv6-udp.pcap',
      [
        'sync message format 1 syncid 9 records 4 bytes 296',
        '17 [fd00:1::1]:4000 -> [fd00::1]:53 -> [fd00:2::2]:53 state 0 flags 00000100 timeout 300',
        'template 17 [fd00:1::]:0 -> [fd00::1]:53 -> [fd00:2::2]:53 state 0 flags 00001100 timeout 120',
        ...Array<string>(2).fill(
          'template 17 [fd00:1::]:0 -> [fd00::1]:53 -> [fd00:2::2]:53 state 1 flags 00001100 timeout 120',
        ),
      ],
    ],
  ])('%s shows as', (name, lines) => {
    expect(printMessage(capturedPayloads(name)[0]!).split('\n')).toEqual(lines);
  });

  test('format 0 and the data of a persistence engine show too', () => {
    const [v0] = capturedPayloads('203-v0-a.pcap');
    const [engine] = capturedPayloads('206-pe-sip-a.pcap');
    expect(printMessage(v0!).split('\n').slice(0, 3)).toEqual([
      'sync message format 0 syncid 3 records 12 bytes 292',
      '6 10.1.0.1:20001 -> 10.0.0.1:80 -> 10.2.0.2:80 state 1 flags 00000000 timeout 0',
      'template 6 10.1.0.1:0 -> 10.0.0.1:80 -> 10.2.0.2:80 state 1 flags 00001100 timeout 0',
    ]);
    expect(printMessage(engine!)).toContain('timeout 60 pe sip "abc@example.test"');
  });
});

describe('any connection', () => {
  test.each([
    ['1', 1, recordV1],
    ['0', 0, recordV0],
  ] as const)('written in format %s is read as it was', (_, version, arbitrary) => {
    fc.assert(
      fc.property(fc.array(arbitrary, { minLength: 1, maxLength: 20 }), (records) => {
        const bytes = written(version, 7, records);
        const head = headOf(bytes);
        expect(head).toEqual({ version, syncId: 7, count: records.length });
        expect(parseRecords(bytes, head)).toEqual({ records, faults: [] });
      }),
    );
  });

  test('is added to a message until the next one has no room', () => {
    fc.assert(
      fc.property(
        fc.array(recordV1, { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 400, max: 1472 }),
        (records, room) => {
          const writer = new MessageWriter(1, 0, new Uint8Array(room));
          const fitting = records.findIndex((record) => !writer.add(record));
          const bytes = writer.finish();
          expect(bytes.length).toBeLessThanOrEqual(room);
          const count = fitting < 0 ? records.length : fitting;
          expect(parseRecords(bytes, headOf(bytes)).records).toEqual(records.slice(0, count));
        },
      ),
    );
  });

  test('makes a message of its own if it is longer than one may be', () => {
    const [record] = fc.sample(recordV1, 1) as [SyncRecord];
    const writer = new MessageWriter(1, 0, new Uint8Array(1));
    expect(writer.add(record)).toBe(true);
    expect(writer.add(record)).toBe(false);
    const bytes = writer.finish();
    expect(parseRecords(bytes, headOf(bytes)).records).toEqual([record]);
  });

  test('finds no room behind 255 others', () => {
    const [record] = fc.sample(recordV0, 1) as [SyncRecord];
    const writer = new MessageWriter(0, 0, new Uint8Array(DATAGRAM));
    for (let n = 0; n < 255; n++) expect(writer.add(record)).toBe(true);
    expect(writer.add(record)).toBe(false);
    expect(headOf(writer.finish()).count).toBe(255);
  });
});

describe('what anyone may send', () => {
  test('no byte string makes the parser or the printer throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.boolean(), (bytes, saysLength) => {
        if (saysLength && bytes.length >= 4) setLength(bytes);
        expect(printMessage(bytes)).toContain('sync message');
      }),
      { numRuns: 3000 },
    );
  });

  test('no change of a recorded message makes the parser read beyond it', () => {
    const originals = CAPTURES.flatMap(capturedPayloads);
    const change = fc.record({ at: fc.nat(400), value: fc.integer({ min: 0, max: 255 }) });
    fc.assert(
      fc.property(
        fc.constantFrom(...originals),
        fc.array(change, { maxLength: 8 }),
        fc.nat(400),
        (original, changes, cut) => {
          const bytes = original.slice(0, Math.max(4, original.length - (cut % original.length)));
          for (const { at, value } of changes) bytes[at % bytes.length] = value;
          setLength(bytes);
          const head = parseHead(bytes);
          if (typeof head === 'string') return;
          const { records, faults } = parseRecords(bytes, head);
          expect(records.length + faults.length).toBeLessThanOrEqual(head.count);
        },
      ),
      { numRuns: 3000 },
    );
  });

  test.each([
    ['too short for a head', '000000', 'short'],
    ['another length than it says', '0001000901000000', 'length'],
  ])('a datagram %s is refused', (_, text, fault) => {
    expect(parseHead(bytesOf(text))).toBe(fault);
  });

  const RECORD = '0006002400000100000100010050005000000000000003840a0101010a0000010a030001';
  const with_ = (at: number, text: string): string =>
    RECORD.slice(0, 2 * at) + text + RECORD.slice(2 * at + text.length);

  test.each([
    ['a record behind the end', RECORD.slice(0, 70), 'truncated'],
    ['a record of another version', with_(2, '1024'), 'bad_version'],
    ['a record of another type', with_(0, '02'), 'bad_type'],
    ['a record shorter than its addresses', with_(2, '0008'), 'truncated'],
    ['an IPv6 record with the room of IPv4', with_(0, '01'), 'truncated'],
    ['an option of no length', `${with_(2, '0026')}4000`, 'bad_option'],
    ['an option longer than the record', `${with_(2, '0027')}02ff61`, 'bad_option'],
    ['half an option', `${with_(2, '0025')}02`, 'bad_option'],
    ['sequence values of another length', `${with_(2, '0027')}010100`, 'bad_option'],
    ['engine data twice', `${with_(2, '002a')}020161020161`, 'bad_option'],
    ['the name of an engine too long', `${with_(2, '0037')}0311${'61'.repeat(17)}`, 'bad_option'],
  ])('%s ends the reading', (_, text, fault) => {
    const bytes = messageOf(text, 2);
    const { records, faults } = parseRecords(bytes, headOf(bytes));
    expect({ records: records.length, faults }).toEqual({ records: 0, faults: [fault] });
  });

  test('a record with an unknown option is left out, unless the option may be ignored', () => {
    const unknown = `${with_(2, '0027')}0901ff00`;
    const ignorable = `${with_(2, '0027')}4901ff00`;
    const bytes = messageOf(unknown + ignorable + RECORD, 3);
    const { records, faults } = parseRecords(bytes, headOf(bytes));
    expect({ records: records.length, faults }).toEqual({ records: 2, faults: ['unknown_option'] });
  });

  test('a message of format 1 whose reserved octets are used is read as format 0', () => {
    const bytes = messageOf(RECORD, 1);
    bytes[7] = 1;
    expect(headOf(bytes)).toEqual({ version: 0, syncId: 7, count: 0 });
  });
});

function written(version: SyncVersion, syncId: number, records: readonly SyncRecord[]): Uint8Array {
  const writer = new MessageWriter(version, syncId, new Uint8Array(DATAGRAM));
  for (const record of records) expect(writer.add(record)).toBe(true);
  return writer.finish();
}

function headOf(bytes: Uint8Array): MessageHead {
  const head = parseHead(bytes);
  if (typeof head === 'string') throw new Error(head);
  return head;
}

/** A message of format 1. */
function messageOf(records: string, count: number): Uint8Array {
  const bytes = bytesOf(`00070000${count.toString(16).padStart(2, '0')}010000${records}`);
  setLength(bytes);
  return bytes;
}

function setLength(bytes: Uint8Array): void {
  bytes[2] = bytes.length >>> 8;
  bytes[3] = bytes.length;
}

const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
