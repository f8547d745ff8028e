import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatAddress } from '../../../../src/core/address.ts';
import {
  deletedDevices,
  tellsChainChange,
  tellsDeviceChange,
  tellsRuleDeletion,
  tellsTableDeletion,
} from '../../../../src/net/packet/host-state/nfnetlink.ts';
import {
  answerErrno,
  devconfRequest,
  type LinkAnswer,
  linkRequest,
  parseLink,
  parseLinks,
  parseRoute,
  ROUTE_TYPE,
  routeRequest,
} from '../../../../src/net/packet/host-state/rtnetlink.ts';
import { address } from '../../../support/core.ts';

// Recorded on Linux 6.18: requests as they were written and answers as they were read.
const REQUEST = {
  v4: '240000001a0001000700000000000000022000000000000000000000080001000a540001',
  v6: '300000001a00010007000000000000000a800000000000000000000014000100fd840000000000000000000000000001',
  linkOfName: '28000000120001000800000000000000000000000000000000000000000000000700030064310000',
  linkOfIndex: '2000000012000100080000000000000000000000630000000000000000000000',
  devconf:
    '3c000000130005000900000000000000000000000300000000000000000000001c001a8018000280140001800800080000000000' +
    '0800170001000000',
};
const ANSWER = {
  gateway:
    '7c0000001800000007000000001b000002200000fe0000010002000008000f00fe000000080001000a54000108000400030000000800' +
    '07000a520001080005000a5200020c0008000800020078050000080019000000000024000c00020000000000000000000000000000' +
    '0000000000000000000000000000000000',
  local:
    '680000001800000007000000001b000002200000fe0000020002008008000f00fe000000080001000a51000108000400010000000800' +
    '07000a510001080019000000000024000c000100000000000000000000000000000000000000000000000000000000000000',
  gatewayOfIpv6:
    '800000001800000007000000001b000002200000fe0000010002000008000f00fe000000080001000a58000108000400020000000800' +
    '07000a510001160012000a00fd8100000000000000000000000000020000080019000000000024000c00020000000000000000000000' +
    '0000000000000000000000000000000000000000',
  v6:
    'bc0000001800000007000000001b00000a808000fe0300010000000008000f00fe00000014000100fd84000000000000000000000000' +
    '0001140002000000000000000000000000000000000014000700fd8100000000000000000000000000010c0008000800020014050000' +
    '080006000004000014000500fd810000000000000000000000000002080004000200000024000c000200000000000000000000000000' +
    '0000000000000000000000000000000000000500140000000000',
  unreachable:
    '380000000200000007000000001b00008fffffff240000001a0001000700000000000000022000000000000000000000080001000a55' +
    '0001',
  done: '240000000200000109000000001b0000000000003c000000130005000900000000000000',
};

const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
const hex = (data: Uint8Array): string => Buffer.from(data).toString('hex');

test.each([
  { what: 'a route of IPv4', built: routeRequest(address('10.84.0.1'), 7), recorded: REQUEST.v4 },
  { what: 'a route of IPv6', built: routeRequest(address('fd84::1'), 7), recorded: REQUEST.v6 },
  { what: 'a link by name', built: linkRequest('d1', 8), recorded: REQUEST.linkOfName },
  { what: 'a link by index', built: linkRequest(99, 8), recorded: REQUEST.linkOfIndex },
  {
    what: 'settings',
    built: devconfRequest(3, { rp_filter: 0, accept_local: 1 }, 9),
    recorded: REQUEST.devconf,
  },
])('asks for $what as the kernel understood it', ({ built, recorded }) => {
  expect(hex(built)).toBe(recorded);
});

test.each([
  {
    what: 'a gateway and an MTU of its own',
    answer: ANSWER.gateway,
    is: { type: ROUTE_TYPE.UNICAST, oif: 3, mtu: 1400, gateway: '10.82.0.2', source: '10.82.0.1' },
  },
  {
    what: 'an address of the host',
    answer: ANSWER.local,
    is: { type: ROUTE_TYPE.LOCAL, oif: 1, mtu: 0, gateway: undefined, source: '10.81.0.1' },
  },
  {
    what: 'a gateway of the other family',
    answer: ANSWER.gatewayOfIpv6,
    is: { type: ROUTE_TYPE.UNICAST, oif: 2, mtu: 0, gateway: 'fd81::2', source: '10.81.0.1' },
  },
  {
    what: 'IPv6',
    answer: ANSWER.v6,
    is: { type: ROUTE_TYPE.UNICAST, oif: 2, mtu: 1300, gateway: 'fd81::2', source: 'fd81::1' },
  },
])('reads a route with $what', ({ answer, is }) => {
  const route = parseRoute(bytes(answer))!;
  const text = (of: typeof route.gateway): string | undefined => of && formatAddress(of);
  expect({ ...route, gateway: text(route.gateway), source: text(route.source) }).toEqual(is);
  expect(answerErrno(bytes(answer))).toBe(0);
});

test('a refusal has an errno and no route, an acknowledgement errno 0', () => {
  expect(parseRoute(bytes(ANSWER.unreachable))).toBeUndefined();
  expect(answerErrno(bytes(ANSWER.unreachable))).toBe(113);
  expect(answerErrno(bytes(ANSWER.done))).toBe(0);
});

const LINK =
  '3800000010000000080000001b000000000001000300000043100100000000000700030064310000050010000600000008000400dc050000';

test('reads name, index, MTU and kind of a link', () => {
  expect(parseLink(bytes(LINK))).toEqual({
    index: 3,
    name: 'd1',
    mtu: 1500,
    isUp: true,
    layer: 1,
    master: 0,
  });
});

test('reads all links of an answer in parts, up to its end', () => {
  const ofBridge = `40${LINK.slice(2)}08000a0007000000`;
  const links: LinkAnswer[] = [];
  expect(parseLinks(bytes(LINK + ofBridge), links)).toBe(false);
  expect(parseLinks(bytes(`${LINK}1400000003000200080000001b00000000000000`), links)).toBe(true);
  expect(links.map(({ index, master }) => [index, master])).toEqual([
    [3, 0],
    [3, 7],
    [3, 0],
  ]);
});

describe('no bytes make a reader throw', () => {
  const beginnings = Object.values(ANSWER).map(bytes);
  const damaged = fc
    .tuple(fc.constantFrom(...beginnings), fc.array(fc.tuple(fc.nat(200), fc.nat(255))), fc.nat(200))
    .map(([whole, changes, length]) => {
      const copy = whole.slice(0, length);
      for (const [at, value] of changes) if (at < copy.length) copy[at] = value;
      return copy;
    });
  test.each([
    ['parseRoute', parseRoute],
    ['parseLink', parseLink],
    ['answerErrno', answerErrno],
    ['parseLinks', (data: Uint8Array) => parseLinks(data, [])],
    ['deletedDevices', deletedDevices],
    ['tellsTableDeletion', tellsTableDeletion],
    ['tellsRuleDeletion', tellsRuleDeletion],
  ])('%s', (_, read) => {
    fc.assert(fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 100 })), (data) => void read(data)));
  });
});

test('a deletion is found behind other messages of a notice', () => {
  const message = (type: number, length: number): number[] => [length, 0, 0, 0, type & 255, type >> 8];
  const notice = (second: number): Uint8Array => {
    const data = new Uint8Array(20 + 16);
    data.set(message(16, 18));
    data.set(message(second, 16), 20);
    return data;
  };
  expect([tellsRuleDeletion(notice(33)), tellsRuleDeletion(notice(32))]).toEqual([true, false]);
  expect([tellsTableDeletion(notice(0x0a02)), tellsTableDeletion(notice(0x0a00))]).toEqual([true, false]);
});

test('the devices whose deletion a notice tells are found', () => {
  const news = bytes(LINK);
  const deletion = bytes(LINK);
  deletion[4] = 17;
  expect(deletedDevices(Buffer.concat([news, deletion]))).toEqual([3]);
  expect(deletedDevices(news)).toEqual([]);
  expect([news, deletion].map(tellsDeviceChange)).toEqual([true, true]);
});

test('a change of chains is found', () => {
  const notice = (type: number): Uint8Array => Uint8Array.of(16, 0, 0, 0, type, 10, ...Array(10).fill(0));
  // New and deleted tables and chains; then new rules and set elements.
  expect([0, 2, 3, 5, 6, 12].map((type) => tellsChainChange(notice(type)))).toEqual([
    true,
    true,
    true,
    true,
    false,
    false,
  ]);
});
