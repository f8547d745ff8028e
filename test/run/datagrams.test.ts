import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  capped,
  clientIdOf,
  endsAnswer,
  FAMILY_ID,
  familyIdIn,
  familyRequest,
  hasEnd,
  isFamilyDump,
  isMarked,
  isQuestion,
  marker,
  refusal,
  setPort,
  splitRequest,
  toClient,
  toDirector,
} from '../../src/run/datagrams.ts';

const DIRECTOR_ID = 28;
const KERNEL_ID = 33;
const REQUEST = 1;
const ACK = 4;
const DUMP = 0x300;
const NUMBERS = { kernel: KERNEL_ID };

describe('what a program sends', () => {
  test.each([
    { what: 'a command of the family', bytes: command(FAMILY_ID), isOurs: true },
    { what: "a command of the kernel's own family", bytes: command(KERNEL_ID), isOurs: true },
    { what: 'a command of another family', bytes: command(40), isOurs: false },
    { what: 'the question for the family by name', bytes: familyRequest(), isOurs: true },
    { what: 'that for a name that begins alike', bytes: byName('IPVSX\0'), isOurs: false },
    { what: 'that for a name without its zero', bytes: byName('IPVS'), isOurs: true },
    { what: 'that for another family', bytes: byName('nl80211\0'), isOurs: false },
    { what: 'the question for the family by number', bytes: byId(FAMILY_ID), isOurs: true },
    { what: "that for the kernel's number", bytes: byId(KERNEL_ID), isOurs: true },
    { what: 'that for another number', bytes: byId(40), isOurs: false },
    { what: 'the question for all families', bytes: message(16, REQUEST | DUMP, genl(3)), isOurs: false },
  ])("is ours or the kernel's: $what", ({ bytes, isOurs }) => {
    expect(splitRequest(bytes, NUMBERS).map((part) => part.isOurs)).toEqual([isOurs]);
  });

  test('is split into its messages, up to the first impossible one', () => {
    const datagram = Buffer.concat([
      command(FAMILY_ID),
      command(40),
      Buffer.from([200, 0, 0, 0]),
      Buffer.alloc(16),
    ]);
    expect(splitRequest(datagram, NUMBERS).map(({ isOurs }) => isOurs)).toEqual([true, false]);
  });

  test("goes to the director under its number, and answers come back under the program's", () => {
    for (const own of [FAMILY_ID, KERNEL_ID]) {
      const request = command(own);
      const sent = toDirector(request, DIRECTOR_ID);
      expect(Buffer.from(sent).readUInt16LE(4)).toBe(DIRECTOR_ID);
      expect(request.readUInt16LE(4)).toBe(own);
      const answer = refusal(sent, 3);
      const received = toClient(answer, { directorId: DIRECTOR_ID, clientId: clientIdOf(request) });
      expect(Buffer.from(received)).toEqual(Buffer.from(refusal(request, 3)));
    }
  });

  test('learns the number that no family of the kernel has', () => {
    const reply = message(
      16,
      0,
      Buffer.concat([genl(1), attribute(2, 'IPVS\0'), attribute(1, u16(DIRECTOR_ID))]),
    );
    const received = toClient(reply, { directorId: DIRECTOR_ID, clientId: clientIdOf(familyRequest()) });
    expect(familyIdIn(received)).toBe(FAMILY_ID);
    expect(FAMILY_ID).toBeGreaterThan(1023);
  });

  test("asks for the family by the director's number", () => {
    expect(familyIdIn(toDirector(byId(FAMILY_ID), DIRECTOR_ID))).toBe(DIRECTOR_ID);
  });
});

test.each([
  { what: 'with acknowledgement', flags: REQUEST | ACK, ends: true },
  { what: 'for a list', flags: REQUEST | DUMP, ends: true },
  { what: 'without either', flags: REQUEST, ends: false },
  { what: 'with half of the bits of a dump', flags: REQUEST | 0x100, ends: false },
  { what: 'that is none', flags: ACK, ends: false },
])('a request $what has an answer whose end shows: $ends', ({ flags, ends }) => {
  expect(hasEnd(message(DIRECTOR_ID, flags, genl(4)))).toBe(ends);
});

test.each([
  {
    what: 'the list of all families',
    bytes: message(16, REQUEST | DUMP, genl(3)),
    isDump: true,
    isSafe: true,
  },
  { what: 'a list', bytes: message(FAMILY_ID, REQUEST | DUMP, genl(4)), isDump: false, isSafe: true },
  { what: 'one service', bytes: message(FAMILY_ID, REQUEST, genl(4)), isDump: false, isSafe: true },
  { what: 'a change', bytes: message(FAMILY_ID, REQUEST | ACK, genl(1)), isDump: false, isSafe: false },
  {
    what: 'nothing',
    bytes: message(FAMILY_ID, REQUEST | ACK, Buffer.alloc(0)),
    isDump: false,
    isSafe: false,
  },
])('asking twice for $what', ({ bytes, isDump, isSafe }) => {
  expect([isFamilyDump(bytes), isQuestion(bytes)]).toEqual([isDump, isSafe]);
});

test("a marker's acknowledgement is told from all answers to families", () => {
  expect(isMarked(refusal(marker(), 0))).toBe(true);
  expect(isMarked(refusal(command(DIRECTOR_ID), 0))).toBe(false);
  expect(isMarked(marker())).toBe(false);
  expect([
    endsAnswer(refusal(command(1), 0)),
    endsAnswer(message(3, 2, Buffer.alloc(4))),
    endsAnswer(command(9)),
  ]).toEqual([true, true, false]);
});

test('a refusal has the sequence number of its request, its errno and the whole request', () => {
  const request = command(FAMILY_ID);
  const bytes = Buffer.from(refusal(request, 2));
  expect([bytes.readUInt32LE(0), bytes.readUInt16LE(4), bytes.readUInt16LE(6)]).toEqual([
    20 + request.length,
    2,
    0,
  ]);
  expect([bytes.readUInt32LE(8), bytes.readInt32LE(16)]).toEqual([7, -2]);
  expect(bytes.subarray(20)).toEqual(request);
});

test("errors lose the request's payload for sockets that want that, successes and data are as they were", () => {
  const cut = Buffer.from(capped(refusal(command(FAMILY_ID), 2)));
  expect([cut.length, cut.readUInt32LE(0), cut.readUInt16LE(6)]).toEqual([36, 36, 0x100]);
  for (const bytes of [refusal(command(FAMILY_ID), 0), command(FAMILY_ID)]) expect(capped(bytes)).toBe(bytes);
});

test('every message of a reply carries the port of the socket that receives it', () => {
  const reply = Buffer.concat([command(28), command(28)]);
  setPort(reply, 0xdeadbeef);
  expect([reply.readUInt32LE(12), reply.readUInt32LE(command(28).length + 12)]).toEqual([
    0xdeadbeef, 0xdeadbeef,
  ]);
});

test('no bytes make reading them throw', () => {
  const datagram = fc.uint8Array({ maxLength: 200 });
  const plausible = fc.tuple(
    fc.integer({ min: 16, max: 80 }),
    fc.constantFrom(16, 28, FAMILY_ID),
    fc.uint8Array({ maxLength: 64 }),
  );
  fc.assert(
    fc.property(
      fc.oneof(
        datagram,
        plausible.map(([length, type, rest]) => Buffer.concat([head(length, type), rest])),
      ),
      (bytes) => {
        for (const part of splitRequest(bytes, NUMBERS)) {
          clientIdOf(part.bytes);
          isQuestion(part.bytes);
          toClient(toDirector(part.bytes, DIRECTOR_ID), { directorId: DIRECTOR_ID, clientId: FAMILY_ID });
          refusal(part.bytes, 1);
        }
        familyIdIn(bytes);
        isMarked(bytes);
      },
    ),
  );
});

function head(length: number, type: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt32LE(length, 0);
  bytes.writeUInt16LE(type, 4);
  return bytes;
}

function message(type: number, flags: number, payload: Buffer): Buffer {
  const bytes = Buffer.concat([head(16 + payload.length, type), payload]);
  bytes.writeUInt16LE(flags, 6);
  bytes.writeUInt32LE(7, 8);
  return bytes;
}

function genl(number: number): Buffer {
  return Buffer.from([number, 1, 0, 0]);
}

function command(type: number): Buffer {
  return message(type, REQUEST | ACK, genl(15));
}

function byName(name: string): Buffer {
  return message(16, REQUEST | ACK, Buffer.concat([genl(3), attribute(2, name)]));
}

function byId(id: number): Buffer {
  return message(16, REQUEST | ACK, Buffer.concat([genl(3), attribute(1, u16(id))]));
}

function attribute(type: number, value: string | Buffer): Buffer {
  const content = Buffer.from(value);
  const bytes = Buffer.alloc((4 + content.length + 3) & ~3);
  bytes.writeUInt16LE(4 + content.length, 0);
  bytes.writeUInt16LE(type, 2);
  content.copy(bytes, 4);
  return bytes;
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}
