import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { parseTraceOption } from '../../../../src/net/packet/trace/option.ts';
import { PacketTrace, wallClockNs } from '../../../../src/net/packet/trace/packet-trace.ts';
import { TraceFileError } from '../../../../src/net/packet/trace/trace-file.ts';
import { tempDir } from '../../../control/temp-dir.ts';
import { address } from '../../../support/core.ts';
import { packetOf, type Segment } from '../../../support/core-packets.ts';
import { type ReadPacket, readPcapng } from './pcapng-reader.ts';

const SEGMENT: Segment = {
  protocol: 17,
  src: address('192.0.2.7'),
  sport: 40_000,
  dst: address('10.0.0.1'),
  dport: 53,
};
const MIB = 2 ** 20;

let path: string;
let lines: string[];

beforeEach(() => {
  path = join(tempDir(), 'trace.pcapng');
  lines = [];
});

const open = (option = path): PacketTrace =>
  new PacketTrace(parseTraceOption(option), 'uipvs 1.2.3', (line) => lines.push(line));
const read = (file = path): readonly ReadPacket[] => readPcapng(new Uint8Array(readFileSync(file))).packets;
const comments = (file = path): string[] => read(file).map(({ comment }) => comment);

test('packets are in the file after a flush, with comment, direction and time', () => {
  const trace = open();
  const packet = packetOf(SEGMENT);
  const slot = new Uint8Array(200);
  slot.set(packet, 128);
  trace.record(slot, 128, packet.length, 'in', 'TRANSMIT', 1_700_000_000_123_456_789n);
  slot[128 + 19] = 9;
  trace.record(slot, 128, packet.length, 'out', () => 'to 10.0.0.9', 1_700_000_000_123_456_790n);
  expect(read()).toEqual([]);
  trace.flush();
  const rewritten = packet.slice();
  rewritten[19] = 9;
  const originalLength = packet.length;
  expect(read()).toEqual([
    {
      bytes: packet,
      originalLength,
      comment: 'TRANSMIT',
      direction: 1,
      timestampNs: 1_700_000_000_123_456_789n,
    },
    {
      bytes: rewritten,
      originalLength,
      comment: 'to 10.0.0.9',
      direction: 2,
      timestampNs: 1_700_000_000_123_456_790n,
    },
  ]);
  expect(trace.packets).toBe(2);
  trace.close();
});

test('a packet that is taken as it comes in is taken as it leaves, and the next one is judged anew', () => {
  const trace = open(`${path},port 53`);
  const record = (dport: number, phase: 'in' | 'out', comment: string): void => {
    const packet = packetOf({ ...SEGMENT, dport });
    trace.record(packet, 0, packet.length, phase, comment, 0n);
  };
  record(53, 'in', 'request');
  record(5353, 'out', 'translated');
  record(80, 'in', 'other request');
  record(8080, 'out', 'other, translated');
  record(5353, 'in', 'reply');
  record(53, 'out', 'reply, translated');
  trace.close();
  expect(comments()).toEqual(['request', 'translated', 'reply, translated']);
});

test('the comment of a packet that is not taken is not made', () => {
  const trace = open(`${path},tcp`);
  const packet = packetOf(SEGMENT);
  const fail = (): string => {
    throw new Error('asked');
  };
  trace.record(packet, 0, packet.length, 'in', fail, 0n);
  trace.close();
  expect(comments()).toEqual([]);
});

test('more packets than fit into memory at once are all written, in order', () => {
  const trace = open();
  const packet = packetOf({ ...SEGMENT, payloadLength: 60_000 });
  for (let i = 0; i < 50; i++) trace.record(packet, 0, packet.length, 'in', String(i), 0n);
  trace.close();
  expect(comments()).toEqual(Array.from({ length: 50 }, (_, i) => String(i)));
});

test('a full file makes room for the next: two files, together within the bound, hold the newest packets', () => {
  const trace = open(`${path},max=1M`);
  const packet = packetOf({ ...SEGMENT, payloadLength: 5000 });
  const count = 700;
  for (let i = 0; i < count; i++) {
    trace.record(packet, 0, packet.length, 'in', String(i), 0n);
    if (i % 10 === 0) trace.flush();
  }
  trace.close();
  expect(statSync(path).size + statSync(`${path}.1`).size).toBeLessThanOrEqual(MIB);
  const kept = [...comments(`${path}.1`), ...comments()].map(Number);
  expect(kept.length).toBeGreaterThan(100);
  expect(kept).toEqual(Array.from({ length: kept.length }, (_, i) => count - kept.length + i));
  expect(lines).toEqual([]);
});

test('the trace of the run before is kept beside the new one', () => {
  const packet = packetOf(SEGMENT);
  for (const name of ['first', 'second', 'third']) {
    const trace = open();
    trace.record(packet, 0, packet.length, 'in', name, 0n);
    trace.close();
  }
  expect(comments()).toEqual(['third']);
  expect(comments(`${path}.1`)).toEqual(['second']);
});

test('an empty file is replaced and sets nothing aside', () => {
  const first = open();
  first.close();
  writeFileSync(path, '');
  writeFileSync(`${path}.1`, '');
  open().close();
  expect(statSync(`${path}.1`).size).toBe(0);
  expect(read()).toEqual([]);
});

test('only the owner can read a trace', () => {
  open().close();
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test.each(['', '.1'])('a file that is no trace, at FILE%s, is left alone', (suffix) => {
  writeFileSync(`${path}${suffix}`, 'precious');
  expect(() => open()).toThrow(
    new TraceFileError(`write packets to ${path}${suffix}: something else than a pcapng file is there`),
  );
  expect(readFileSync(`${path}${suffix}`, 'utf8')).toBe('precious');
});

test('a directory that is not there is told', () => {
  expect(() => open(`${path}/missing/a`)).toThrow(`write packets to ${path}/missing/a: ENOENT`);
});

test('a file that can no longer be written ends the trace with one line', () => {
  const trace = open(`${path},max=1M`);
  // The next file finds a directory in its place.
  const packet = packetOf({ ...SEGMENT, payloadLength: 60_000 });
  mkdirSync(`${path}.1`);
  for (let i = 0; i < 40; i++) {
    trace.record(packet, 0, packet.length, 'in', String(i), 0n);
    trace.flush();
  }
  trace.close();
  expect(lines).toEqual([`write packets to ${path}: EISDIR; no more packets are recorded`]);
  expect(comments().length).toBe(trace.packets - 1);
});

test('the clock is that of the wall and never goes back', () => {
  const first = wallClockNs();
  const second = wallClockNs();
  expect(second).toBeGreaterThanOrEqual(first);
  expect(Math.abs(Number(first / 1_000_000n) - Date.now())).toBeLessThan(1000);
});
