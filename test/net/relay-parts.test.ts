import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatAddress, ipv4, ipv6 } from '../../src/core/address.ts';
import { DescriptorBudget, descriptorLimit } from '../../src/net/descriptors.ts';
import { IdleList, type Idling } from '../../src/net/idle-list.ts';
import { dataPackets } from '../../src/net/packet-estimate.ts';
import { peerAddress } from '../../src/net/peer-address.ts';
import { bindRefusal, stateOfFailure } from '../../src/net/servable.ts';
import { service } from './plane-fixture.ts';

describe('peer addresses', () => {
  const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });

  test('every IPv4 address is read as it is printed, bare or v4-mapped', () => {
    fc.assert(
      fc.property(word, (w) => {
        const printed = formatAddress(ipv4(w));
        expect(peerAddress(printed)).toEqual(ipv4(w));
        expect(peerAddress(`::ffff:${printed}`)).toEqual(ipv4(w));
      }),
    );
  });

  test('every IPv6 address is read as it is printed, with or without a zone', () => {
    fc.assert(
      fc.property(word, word, word, (a, b, d) => {
        const addr = ipv6(a | 0x20000000, b, 0, d);
        expect(peerAddress(formatAddress(addr))).toEqual(addr);
        expect(peerAddress(`${formatAddress(addr)}%eth0`)).toEqual(addr);
      }),
    );
  });

  test.each(['', '1.2.3', 'x', '::ffff:1.2', 'fe80'])('%j is no address', (text) => {
    expect(peerAddress(text)).toBeUndefined();
  });
});

test.each([
  [1, 1],
  [1448, 1],
  [1449, 2],
  [65_536, 46],
])('%i bytes read at once count as %i packets', (bytes, packets) => {
  expect(dataPackets(bytes)).toBe(packets);
});

test('the idle list yields items in the order of their last use, as a plain array would', () => {
  interface Item extends Idling {
    readonly name: number;
  }
  const step = fc.tuple(fc.constantFrom('touch', 'remove', 'oldest'), fc.nat(5));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const items: Item[] = Array.from({ length: 6 }, (_, name) => ({
        name,
        older: undefined,
        younger: undefined,
      }));
      const list = new IdleList<Item>();
      let model: number[] = [];
      for (const [what, name] of steps) {
        const known = model.includes(name);
        if (what === 'oldest') expect(list.longestIdle()?.name).toBe(model[0]);
        else if (what === 'remove' && known) list.remove(items[name]!);
        else if (what === 'touch' && known) list.touch(items[name]!);
        else if (what === 'touch') list.add(items[name]!);
        if (what !== 'oldest') model = model.filter((other) => other !== name);
        if (what === 'touch') model.push(name);
      }
      for (const name of model) {
        expect(list.longestIdle()?.name).toBe(name);
        list.remove(items[name]!);
      }
      expect(list.longestIdle()).toBeUndefined();
    }),
  );
});

describe('descriptors', () => {
  test('the limit is the one of this process', () => {
    expect(descriptorLimit()).toBeGreaterThan(64);
  });

  test('the budget leaves room for the rest of the process, and is never negative', () => {
    expect(new DescriptorBudget().limit).toBeLessThan(descriptorLimit());
    expect(new DescriptorBudget(-5).limit).toBe(0);
  });

  test('no more are taken than are free', () => {
    const budget = new DescriptorBudget(3);
    expect([budget.take(2), budget.take(2), budget.take(1)]).toEqual([true, false, true]);
    budget.give(2);
    expect(budget.free).toBe(2);
  });
});

describe('failed listens', () => {
  test('a refusal for want of privilege says what would help', () => {
    const error = bindRefusal(service(80), 'EACCES');
    expect(error.errno).toBe('EACCES');
    expect(error.message).toContain('CAP_NET_BIND_SERVICE');
  });

  test.each([
    { code: 'EADDRINUSE', errno: 'EADDRINUSE', state: 'waiting: port' },
    { code: 'EACCES', errno: 'EACCES', state: 'waiting: port' },
    { code: 'EADDRNOTAVAIL', errno: 'EADDRNOTAVAIL', state: 'waiting: address' },
    { code: 'EMFILE', errno: 'EMFILE', state: 'unservable: EMFILE' },
    { code: 'ENOTSUP', errno: 'EIO', state: 'unservable: ENOTSUP' },
  ])('$code refuses a change with $errno; a restored service is $state', ({ code, errno, state }) => {
    expect(bindRefusal(service(80), code).errno).toBe(errno);
    expect(stateOfFailure(code)).toBe(state);
  });
});
