import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ipv4, ipv6 } from '../../src/core/address.ts';
import { METHOD } from '../../src/core/config.ts';
import { CONN_FLAG } from '../../src/core/conn-flags.ts';
import { Connections } from '../../src/core/connections.ts';

const VIP = ipv4(0x0a000001);
const SERVER = ipv4(0x0a020001);

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
          expect(table.findIn(6, caddr, port, v6 ? ipv6(9, 9, 9, 9) : VIP, 80)).toBe(known ?? -1);
          if (remove && known !== undefined) {
            table.unhash(known);
            table.release(known);
            twin.delete(key);
          } else if (!remove && known === undefined) {
            twin.set(key, insert(table, caddr, port, v6 ? ipv6(9, 9, 9, 9) : VIP));
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
    table.flags[id]! |= CONN_FLAG.TEMPLATE;
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

  test.each([
    { method: METHOD.MASQ, from: SERVER, port: 8080, found: true },
    { method: METHOD.MASQ, from: VIP, port: 80, found: false },
    { method: METHOD.ROUTE, from: SERVER, port: 8080, found: false },
    { method: METHOD.ROUTE, from: VIP, port: 80, found: true },
  ])('an entry of method $method answers from port $port: $found', ({ method, from, port, found }) => {
    const table = new Connections(8, 1);
    const id = insert(table, ipv4(1), 4000, VIP);
    table.flags[id]! |= method;
    expect(table.findOut(6, ipv4(1), 4000, from, port)).toBe(found ? id : -1);
    expect(table.findOut(6, ipv4(1), 4001, from, port)).toBe(-1);
  });

  test('spreads clients of one network evenly over the low bits of the hash', () => {
    const table = new Connections(1 << 16, 99);
    for (let n = 0; n < 1 << 16; n++) insert(table, ipv4(0x0a010000 + n), 40_000, VIP);
    expect(longestChain(table)).toBeLessThan(12);
  });
});

function insert(
  table: Connections,
  caddr: ReturnType<typeof ipv4>,
  cport: number,
  vaddr: ReturnType<typeof ipv4>,
): number {
  const id = table.allocate();
  table.setClient(id, 6, caddr, cport);
  table.setVirtual(id, vaddr, 80);
  table.setDest(id, SERVER, 8080);
  table.hash(id);
  return id;
}

function longestChain(table: Connections): number {
  return Math.max(...table.chainLengths());
}
