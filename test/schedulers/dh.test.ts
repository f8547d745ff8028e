import { expect, test } from 'vitest';
import { AF_INET6, formatAddress, ipv4 } from '../../src/core/address.ts';
import { Bench, flowToAddress, numberOf, server, specOf } from './fixture.ts';

const BUCKETS = 256;
/** Addresses enough to reach each bucket. */
const ADDRESSES = Array.from({ length: 4096 }, (_, i) => flowToAddress(ipv4(0x0a090000 + i)));

test('dh gives each bucket a server in turn, whatever the weights', () => {
  const dests = [server(1, { weight: 9 }), server(2), server(3)];
  const bench = new Bench(specOf('dh'), dests);
  for (const flow of ADDRESSES) {
    const product = (BigInt(flow.vaddr.words[0]) * 0x61c88647n) % 2n ** 32n;
    const bucket = Number(product / 2n ** 24n);
    expect(numberOf(bench.choose(flow)!), formatAddress(flow.vaddr)).toBe((bucket % 3) + 1);
  }
});

test('dh keeps the table when a server is edited, and refuses what is its', () => {
  const bench = new Bench(specOf('dh'), [server(1), server(2)]);
  const before = bench.choices(ADDRESSES);
  bench.edit(0, 0);
  expect(bench.choices(ADDRESSES)).toBe(before.replaceAll('1', '-'));
  bench.edit(0, 7);
  expect(bench.choices(ADDRESSES)).toBe(before);
});

test('dh does not look at the client', () => {
  const bench = new Bench(specOf('dh'), [server(1), server(2), server(3)]);
  const flow = flowToAddress('10.9.0.7');
  const others = Array.from({ length: BUCKETS }, (_, i) => ({ ...flow, cport: i, caddr: ipv4(i * 7919) }));
  expect(new Set(bench.choices(others)).size).toBe(1);
});

test('dh makes the table anew when a server comes or goes', () => {
  const bench = new Bench(specOf('dh'), [server(2), server(1)]);
  bench.add(server(3));
  expect(bench.choices(ADDRESSES)).toBe(new Bench(specOf('dh'), bench.dests).choices(ADDRESSES));
  bench.remove(1);
  expect(bench.choices(ADDRESSES)).toBe(new Bench(specOf('dh'), bench.dests).choices(ADDRESSES));
});

test('dh takes the exclusive or of the words of an IPv6 address', () => {
  const dests = [server(1), server(2), server(3)];
  const six = new Bench(specOf('dh'), dests, { family: AF_INET6 });
  expect(six.choose(flowToAddress('fd00:9::7'))).toBe(
    new Bench(specOf('dh'), dests).choose(flowToAddress(ipv4(0xfd000009 ^ 7))),
  );
});
