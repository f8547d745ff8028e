import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Address, AF_INET6, ipv4, ipv6 } from '../../src/core/address.ts';
import { METHOD } from '../../src/core/config.ts';
import { CONN_FLAG } from '../../src/core/conn-flags.ts';
import { Connections } from '../../src/core/connections.ts';

const VIP = ipv4(0x0a000001);
const SERVER = ipv4(0x0a020001);
const VIP6 = ipv6(9, 9, 9, 9);
const SERVER6 = ipv6(8, 8, 8, 9);
const ENTRIES = 1 << 15;

/** Clients as networks have them; who sends may choose addresses and ports at will. */
const POPULATIONS = [
  {
    who: 'clients of one network',
    clientOf: (n: number) => ({ caddr: ipv4(0x0a010000 + n), cport: 40_000 }),
  },
  { who: 'networks', clientOf: (n: number) => ({ caddr: ipv4(n << 12), cport: 40_000 }) },
  {
    who: 'ports of few clients',
    clientOf: (n: number) => ({ caddr: ipv4(0x0a010000 + (n >> 14)), cport: 1024 + (n & 0x3fff) }),
  },
  {
    who: 'even ports',
    clientOf: (n: number) => ({ caddr: ipv4(0x0a010000 + (n >> 13)), cport: 2 * (n & 0x1fff) }),
  },
  {
    who: 'clients and ports that change together',
    clientOf: (n: number) => ({ caddr: ipv4(0x0a010000 + n), cport: n & 0xffff }),
  },
  {
    who: 'IPv6 clients of one network',
    clientOf: (n: number) => ({ caddr: ipv6(0x20010db8, 0, 0, n), cport: 40_000 }),
  },
  {
    who: 'IPv6 networks',
    clientOf: (n: number) => ({ caddr: ipv6(0x20010db8, n, 0, 1), cport: 40_000 }),
  },
  {
    who: 'IPv6 addresses whose words take back what the word before did',
    clientOf: (n: number) => ({
      caddr: ipv6(0x20010db8 ^ (n << 31), (n >> 1) ^ ((n & 1) * 0x80010000), 0, 1),
      cport: 40_000,
    }),
  },
] as const;

describe('connection table', () => {
  test('finds what was hashed and nothing else, under any sequence of additions and removals', () => {
    const step = fc.record({
      remove: fc.boolean(),
      client: fc.nat(5),
      port: fc.integer({ min: 1, max: 6 }),
      v6: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const table = new Connections(64, 7);
        const twin = new Map<string, number>();
        for (const { remove, client, port, v6 } of steps) {
          const caddr = v6 ? ipv6(1, 2, 3, client) : ipv4(client);
          const key = `${v6} ${client} ${port}`;
          const known = twin.get(key);
          expect(table.findIn(6, caddr, port, v6 ? VIP6 : VIP, 80)).toBe(known ?? -1);
          expect(table.findOut(6, caddr, port, v6 ? SERVER6 : SERVER, 8080)).toBe(known ?? -1);
          if (remove && known !== undefined) {
            table.unhash(known);
            table.release(known);
            twin.delete(key);
          } else if (!remove && known === undefined) {
            twin.set(key, insert(table, caddr, port, v6 ? VIP6 : VIP));
          }
          expect(table.count).toBe(twin.size);
        }
      }),
    );
  });

  test('keeps every entry reachable while its buckets grow', () => {
    const table = new Connections(50_000, 3);
    const ids = Array.from({ length: 50_000 }, (_, n) =>
      insert(table, ipv4(0x0a010000 + (n >> 8)), 1 + (n & 255), VIP),
    );
    expect(
      ids.every((id, n) => table.findIn(6, ipv4(0x0a010000 + (n >> 8)), 1 + (n & 255), VIP, 80) === id),
    ).toBe(true);
    expect(table.allocate()).toBe(-1);
  });

  test('tells templates from connections of client port 0', () => {
    const table = new Connections(8, 1);
    const id = insert(table, ipv4(1), 0, VIP);
    expect(table.findTemplate(6, ipv4(1), VIP, 80)).toBe(-1);
    table.setFlags(id, table.flags(id) | CONN_FLAG.TEMPLATE);
    expect(table.findTemplate(6, ipv4(1), VIP, 80)).toBe(id);
    expect(table.findIn(6, ipv4(1), 0, VIP, 80)).toBe(-1);
  });

  test('finds an entry whose client port is unknown by any port, and by no other once it is learnt', () => {
    const table = new Connections(8, 1);
    const id = insert(table, ipv4(1), 0, VIP);
    table.expectClientPort(id);
    expect(table.findIn(6, ipv4(1), 4000, VIP, 80)).toBe(id);
    expect(table.findIn(6, ipv4(2), 4000, VIP, 80)).toBe(-1);
    table.learnClientPort(id, 4000);
    expect(table.findIn(6, ipv4(1), 4000, VIP, 80)).toBe(id);
    expect(table.findIn(6, ipv4(1), 4001, VIP, 80)).toBe(-1);
  });

  test('tells IPv6 addresses apart that differ in any one word', () => {
    const table = new Connections(8, 1);
    const id = insert(table, ipv6(1, 2, 3, 4), 4000, VIP6);
    for (let word = 0; word < 4; word++) {
      const changed = ({ words }: Address): Address => {
        const [a, b, c, d] = words.map((value, i) => (i === word ? ~value : value));
        return ipv6(a!, b!, c!, d!);
      };
      expect(table.findIn(6, changed(ipv6(1, 2, 3, 4)), 4000, VIP6, 80)).toBe(-1);
      expect(table.findIn(6, ipv6(1, 2, 3, 4), 4000, changed(VIP6), 80)).toBe(-1);
      expect(table.findOut(6, ipv6(1, 2, 3, 4), 4000, changed(SERVER6), 8080)).toBe(-1);
    }
    expect(table.findIn(6, ipv6(1, 2, 3, 4), 4000, VIP6, 80)).toBe(id);
    expect(table.findOut(6, ipv6(1, 2, 3, 4), 4000, SERVER6, 8080)).toBe(id);
  });

  test.each([
    { method: METHOD.MASQ, from: SERVER, port: 8080, found: true },
    { method: METHOD.MASQ, from: VIP, port: 80, found: false },
    { method: METHOD.ROUTE, from: SERVER, port: 8080, found: false },
    { method: METHOD.ROUTE, from: VIP, port: 80, found: true },
  ])('an entry of method $method answers from port $port: $found', ({ method, from, port, found }) => {
    const table = new Connections(8, 1);
    const id = insert(table, ipv4(1), 4000, VIP);
    table.setFlags(id, table.flags(id) | method);
    expect(table.findOut(6, ipv4(1), 4000, from, port)).toBe(found ? id : -1);
    expect(table.findOut(6, ipv4(1), 4001, from, port)).toBe(-1);
  });

  test.each(POPULATIONS)('spreads $who as evenly as chance would', ({ clientOf }) => {
    const table = new Connections(ENTRIES, 99);
    for (let n = 0; n < ENTRIES; n++) {
      const { caddr, cport } = clientOf(n);
      insert(table, caddr, cport, VIP);
    }
    const lengths = [...table.chainLengths()];
    const behind = lengths.reduce((sum, length) => sum + (length * (length - 1)) / 2, 0);
    // Two buckets an entry: by chance one entry in four is behind another one.
    expect(behind / ENTRIES).toBeLessThan(0.28);
    expect(lengths.reduce((most, length) => Math.max(most, length))).toBeLessThan(12);
  });

  test('has the same entries in its buckets whatever their number has been', () => {
    const table = new Connections(ENTRIES, 5);
    const ids = Array.from({ length: ENTRIES }, (_, n) => insert(table, ipv4(n), 7, VIP));
    for (const id of ids.slice(100)) {
      table.unhash(id);
      table.release(id);
    }
    const seen: number[] = [];
    for (let bucket = 0; bucket < table.bucketCount; bucket++)
      table.eachInBucket(bucket, (id) => seen.push(id));
    expect(seen.sort((x, y) => x - y)).toEqual(ids.slice(0, 100));
  });
});

function insert(table: Connections, caddr: Address, cport: number, vaddr: Address): number {
  const id = table.allocate();
  table.setClient(id, 6, caddr, cport);
  table.setVirtual(id, vaddr, 80);
  table.setDest(id, vaddr.family === AF_INET6 ? SERVER6 : SERVER, 8080);
  table.hash(id);
  return id;
}
