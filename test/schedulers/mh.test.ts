import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ipv4 } from '../../src/core/address.ts';
import { SERVICE_FLAG } from '../../src/core/config.ts';
import { IpvsError } from '../../src/core/errors.ts';
import { ANY_FLOW, Bench, flowFrom, server, specOf } from './fixture.ts';
import { slotOfWord, slowTable } from './mh-twin.ts';

const MOST = 4093;
const CLIENTS = Array.from({ length: 300 }, (_, i) => ({ ...ANY_FLOW, caddr: ipv4(0x0a010000 + i * 7) }));
const slots = CLIENTS.map((flow) => slotOfWord(flow.caddr.words[0]));

describe('the table of mh', () => {
  test.each([
    { weights: [1] },
    { weights: [1, 1, 1] },
    { weights: [10, 20, 30, 700] },
    { weights: [0, 65535, 1] },
    { weights: [0, 0] },
    { weights: [63, 64, 65] },
    { weights: [128, 2, 4] },
  ])('is the slowly made one for weights $weights', ({ weights }) => {
    const dests = weights.map((weight, at) => server(at + 1, { weight }));
    const table = slowTable(dests);
    expectChoices(new Bench(specOf('mh'), dests), table);
  });

  test('is the slowly made one after any additions, edits and removals', () => {
    const change = fc.record({
      kind: fc.constantFrom('add' as const, 'edit' as const, 'remove' as const),
      weight: fc.nat(9),
      at: fc.nat(3),
    });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), (changes) => {
        const bench = new Bench(specOf('mh'), []);
        for (const [i, { kind, weight, at }] of changes.entries()) {
          if (kind === 'add') bench.add(server(i + 1, { weight, lastWeight: weight }));
          else if (at >= bench.dests.length) continue;
          else if (kind === 'edit') bench.edit(at, weight);
          else bench.remove(at);
        }
        expectChoices(bench, slowTable(bench.dests));
      }),
      { numRuns: 25 },
    );
  });

  test('keeps most clients on their servers when one is removed', () => {
    const bench = new Bench(
      specOf('mh'),
      [1, 2, 3, 4, 5].map((n) => server(n)),
    );
    const before = bench.choices(CLIENTS);
    bench.remove(2);
    const after = bench.choices(CLIENTS);
    const moved = Array.from(before).filter((own, i) => own !== '3' && own !== after[i]);
    expect(moved.length).toBeLessThan(CLIENTS.length / 20);
  });

  test('counts an IPv6 server of an IPv4 service by its first word', () => {
    const mixed = new Bench(specOf('mh'), [server(1, {}, { ip: 'fd00:2::1' }), server(2)]);
    const plain = new Bench(specOf('mh'), [server(1, {}, { ip: '253.0.0.2' }), server(2)]);
    const places = (bench: Bench): number[] =>
      CLIENTS.map((flow) => bench.dests.indexOf(bench.choose(flow)!));
    expect(places(mixed)).toEqual(places(plain));
  });
});

describe('mh-fallback', () => {
  test('tries the slots of further hashes until one has a server to choose', () => {
    const dests = [1, 2, 3].map((n) => server(n));
    const table = slowTable(dests);
    const bench = new Bench(specOf('mh'), dests);
    bench.flags = SERVICE_FLAG.SCHED_1;
    dests[0]!.overloaded = true;
    bench.edit(1, 0);
    for (const [i, flow] of CLIENTS.entries()) {
      let found = table[slots[i]!];
      for (let step = 0; found !== dests[2]; step++) {
        found = table[slotOfWord(flow.caddr.words[0] + ((slots[i]! + step) % MOST))];
      }
      expect(bench.choose(flow)).toBe(found);
    }
  });

  test('gives up when nobody can be chosen', () => {
    const bench = new Bench(specOf('mh'), [server(1, { overloaded: true }), server(2, { overloaded: true })]);
    bench.flags = SERVICE_FLAG.SCHED_1;
    expect(bench.choose()).toBeUndefined();
  });
});

test('mh-port adds the client port', () => {
  const bench = new Bench(
    specOf('mh'),
    [1, 2, 3].map((n) => server(n)),
  );
  const flows = Array.from({ length: 64 }, (_, i) => flowFrom('10.1.0.2', i));
  const asMoved = bench.choices(flows.map((flow) => ({ ...flow, caddr: ipv4(0x0a010002 + flow.cport) })));
  bench.flags = SERVICE_FLAG.SCHED_2;
  expect(bench.choices(flows)).toBe(asMoved);
});

describe('with more than 4093 servers', () => {
  const many = (count: number): ReturnType<typeof server>[] =>
    Array.from({ length: count }, (_, i) =>
      server(i, {}, { ip: `10.${3 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}` }),
    );

  test('mh cannot be bound', () => {
    const dests = many(MOST + 1);
    expect(() => new Bench(specOf('mh'), dests)).toThrow(IpvsError);
    expect(() => new Bench(specOf('mh'), dests)).toThrow(expect.objectContaining({ errno: 'EINVAL' }));
  });

  test('the table stays as it was, less the servers that go, until there are fewer', () => {
    const bench = new Bench(specOf('mh'), many(MOST));
    const before = CLIENTS.map((flow) => bench.choose(flow));
    const extra = [server(1, {}, { ip: '10.200.0.1' }), server(2, {}, { ip: '10.200.0.2' })];
    for (const dest of extra) bench.add(dest);
    bench.edit(0, 50);
    expect(CLIENTS.map((flow) => bench.choose(flow))).toEqual(before);
    const gone = bench.remove(bench.dests.indexOf(before[0]!));
    expect(CLIENTS.map((flow) => bench.choose(flow))).toEqual(
      before.map((dest) => (dest === gone ? undefined : dest)),
    );
    bench.remove(0);
    const after = CLIENTS.map((flow) => bench.choose(flow));
    const anew = new Bench(specOf('mh'), bench.dests);
    expect(after).toEqual(CLIENTS.map((flow) => anew.choose(flow)));
    expect(after).not.toContain(undefined);
  });
});

function expectChoices(bench: Bench, table: ReturnType<typeof slowTable>): void {
  const chosen = CLIENTS.map((flow) => bench.choose(flow));
  expect(chosen).toEqual(slots.map((slot) => (table[slot]?.weight ? table[slot] : undefined)));
}
