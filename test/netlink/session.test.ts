import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ipv4 } from '../../src/core/address.ts';
import type { DirectorPort } from '../../src/core/commands.ts';
import { IpvsError } from '../../src/core/errors.ts';
import { IPVS_ID, NetlinkSession, UIPVS_ID } from '../../src/netlink/server.ts';
import { align4, type Message, readMessages } from '../../src/netlink/wire.ts';
import { serviceConfig } from '../support/core.ts';
import { answers, bytes, hex, recordedDirector, recordedRequests, sessionOver } from './support.ts';

const INFO = '140000001c00050007000000090000000f010000';
const HELLO = '140000001d000500010000000000000001010000';
const DUMP_SERVICES = '140000001c000503070000000900000004010000';

describe('a session', () => {
  test('answers with the sequence number and port id of the request', async () => {
    const replies = await answers(sessionOver(), bytes(INFO));
    expect(replies.map(hex)).toEqual([
      '240000001c00000007000000090000000e01000008000100010201000800020000100000',
      '240000000200000107000000090000000000000014000000' + '1c0005000700000009000000',
    ]);
  });

  test('gives errors the bytes of the kernel until HELLO, and the reason behind them after it', async () => {
    const session = sessionOver();
    const request = '140000001c000500000000000000000063010000';
    const plain = `28000000020000000000000000000000a1ffffff${request}`;
    const reason = `1d000100${Buffer.from('there is no such command\0\0\0\0').toString('hex')}`;
    expect((await answers(session, bytes(request))).map(hex)).toEqual([plain]);
    expect(await answers(session, bytes(HELLO))).toHaveLength(2);
    const explained = `48000000020000020000000000000000a1ffffff${request}${reason}`;
    expect((await answers(session, bytes(request))).map(hex)).toEqual([explained]);
  });

  test('says EIO where the director fails in a way that no rule foresees', async () => {
    const broken: DirectorPort = {
      apply: () => Promise.reject(new TypeError('a defect')),
      ask: () => Promise.reject(new TypeError('a defect')),
    };
    const session = new NetlinkSession(broken);
    for (const request of [INFO, DUMP_SERVICES, '140000001c000500070000000900000011010000']) {
      expect(errnoOf(await answers(session, bytes(request)))).toBe(-5);
    }
  });

  test('splits a long dump into datagrams that any client can read and ends it with DONE alone', async () => {
    const director = recordedDirector();
    for (let i = 0; i < 300; i++) {
      const service = serviceConfig({ addr: ipv4(0x0a000000 + i) });
      await director.apply({ op: 'add-service', service, flagsMask: 0xffffffff });
    }
    const replies = await answers(new NetlinkSession(director), bytes(DUMP_SERVICES));
    const messages = replies.map(readMessages);
    expect(Math.max(...replies.map(({ length }) => length))).toBeLessThanOrEqual(8192);
    expect(messages.at(-1)).toMatchObject([{ type: 3, flags: 2 }]);
    expect(messages.slice(0, -1).flat()).toHaveLength(300);
    expect(messages.flat().every(({ flags, seq, pid }) => flags === 2 && seq === 7 && pid === 9)).toBe(true);
  });

  test('without padding leaves out the empty attributes of the counters', async () => {
    const director = recordedDirector();
    await director.apply({ op: 'add-service', service: serviceConfig(), flagsMask: 0xffffffff });
    const [padded] = await answers(new NetlinkSession(director, { pad64: true }), bytes(DUMP_SERVICES));
    const [plain] = await answers(new NetlinkSession(director), bytes(DUMP_SERVICES));
    const pads = hex(padded!).match(/04000b00/g)!;
    expect(pads).toHaveLength(10);
    expect(hex(plain!)).not.toContain('04000b00');
    expect(plain!.length).toBe(padded!.length - pads.length * 4);
  });

  test('lists its three families', async () => {
    const replies = await answers(sessionOver(), bytes('1400000010000503000000000000000003010000'));
    const names = replies.flatMap(readMessages).map(({ payload }) => Buffer.from(payload).toString('latin1'));
    expect(names.map((text) => /nlctrl|IPVS|uipvs/.exec(text)?.[0])).toEqual([
      'nlctrl',
      'IPVS',
      'uipvs',
      undefined,
    ]);
  });
});

describe('whatever a client sends', () => {
  test('no bytes make a session throw, and its replies are well-formed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (datagram) => {
        expectWellFormed(await answers(sessionOver(), datagram));
      }),
    );
  });

  test('no payload of any command of any family makes a session throw', async () => {
    const anyMessage = fc.record({
      family: fc.constantFrom(16, IPVS_ID, UIPVS_ID),
      command: fc.integer({ min: 0, max: 18 }),
      flags: fc.constantFrom(1, 5, 0x305),
      attributes: fc.array(fc.tuple(fc.integer({ min: 0, max: 16 }), fc.uint8Array({ maxLength: 60 })), {
        maxLength: 6,
      }),
    });
    await fc.assert(
      fc.asyncProperty(anyMessage, async ({ family, command, flags, attributes }) => {
        const payload = attributes.flatMap(([type, value]) => attribute(type, value));
        const replies = await answers(sessionOver(), message(family, flags, [command, 1, 0, 0, ...payload]));
        expectWellFormed(replies);
        if (flags !== 1) expect([2, 3]).toContain(readMessages(replies.at(-1)!).at(-1)?.type);
      }),
    );
  });

  test('recorded requests with some bytes changed are answered or refused with an errno of the ABI', async () => {
    const session = sessionOver();
    const change = fc.tuple(fc.nat(), fc.nat(255));
    const one = fc.tuple(
      fc.constantFrom(...recordedRequests),
      fc.array(change, { minLength: 1, maxLength: 4 }),
    );
    await fc.assert(
      fc.asyncProperty(one, async ([{ request }, changes]) => {
        const datagram = bytes(request);
        for (const [at, value] of changes) datagram[at % datagram.length] = value;
        const replies = await answers(session, datagram);
        expectWellFormed(replies);
        expect(replies.flatMap(readMessages).map(numberOf)).not.toContain(-5);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a server of an unknown family', () => {
  const request = recordedRequests.find(({ name }) => name === 'new dest, family 99')!.request;

  test('is refused with ESRCH where the service is missing', async () => {
    expect(errnoOf(await answers(sessionOver(), bytes(request)))).toBe(-3);
  });

  test('is refused with EAFNOSUPPORT otherwise', async () => {
    const director = recordedDirector();
    await director.apply({ op: 'add-service', service: serviceConfig(), flagsMask: 0xffffffff });
    expect(errnoOf(await answers(new NetlinkSession(director), bytes(request)))).toBe(-97);
  });
});

test('a refusal leaves the session usable', async () => {
  const director: DirectorPort = {
    apply: () => Promise.reject(new IpvsError('ENOSPC', 'the disk is full')),
    ask: () => Promise.reject(new IpvsError('ESRCH', 'nothing is here')),
  };
  const session = new NetlinkSession(director);
  const flush = bytes('140000001c000500070000000900000011010000');
  expect(errnoOf(await answers(session, flush))).toBe(-28);
  expect(errnoOf(await answers(session, flush))).toBe(-28);
});

function expectWellFormed(replies: readonly Uint8Array[]): void {
  for (const reply of replies) {
    const messages = readMessages(reply);
    expect(messages.length).toBeGreaterThan(0);
    expect(messages.reduce((sum, { raw }) => sum + align4(raw.length), 0)).toBe(reply.length);
  }
}

/** The number of an error or acknowledgement, `undefined` for other messages. */
function numberOf({ type, payload }: Message): number | undefined {
  return type === 2 ? new DataView(payload.buffer, payload.byteOffset).getInt32(0, true) : undefined;
}

function errnoOf(replies: readonly Uint8Array[]): number | undefined {
  expect(replies).toHaveLength(1);
  return numberOf(readMessages(replies[0]!)[0]!);
}

function message(type: number, flags: number, payload: readonly number[]): Uint8Array {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(16 + payload.length, 0);
  header.writeUInt16LE(type, 4);
  header.writeUInt16LE(flags, 6);
  return Uint8Array.from([...header, ...payload]);
}

function attribute(type: number, value: Uint8Array): number[] {
  const length = 4 + value.length;
  return [
    length & 255,
    length >> 8,
    type,
    0,
    ...value,
    ...new Array<number>(align4(length) - length).fill(0),
  ];
}
