import { describe, expect, test } from 'vitest';
import { ipv4 } from '../../src/core/address.ts';
import { PROTOCOL, SERVICE_FLAG } from '../../src/core/config.ts';
import { ANY_FLOW, Bench, flowFrom, type ServerState, server, specOf } from './fixture.ts';

const BUCKETS = 256;

/** For each bucket a client whose address is its. */
const CLIENTS = Array.from({ length: BUCKETS }, (_, bucket) => {
  for (let word = 0; ; word++) {
    if (bucketOf(word) === bucket) return { ...ANY_FLOW, caddr: ipv4(word) };
  }
});

describe('the table of sh', () => {
  test.each<{ when: string; states: ServerState[]; table: string }>([
    { when: 'weights are 1', states: [{}, {}, {}], table: `${'123'.repeat(85)}1` },
    {
      when: 'weights are 3, 1, 2',
      states: [{ weight: 3 }, {}, { weight: 2 }],
      table: `${'111233'.repeat(42)}1112`,
    },
    { when: 'one is quiesced', states: [{}, { weight: 0 }, {}], table: `${'1-3'.repeat(85)}1` },
    {
      when: 'one is overloaded',
      states: [{ weight: 2 }, { weight: 2, overloaded: true }],
      table: '11--'.repeat(64),
    },
    {
      when: 'weights exceed it',
      states: [{ weight: 100 }, { weight: 100 }, { weight: 100 }, {}],
      table: '1'.repeat(100) + '2'.repeat(100) + '3'.repeat(56),
    },
  ])('has this order when $when', ({ states, table }) => {
    const bench = new Bench(
      specOf('sh'),
      states.map((state, at) => server(at + 1, state)),
    );
    expect(bench.choices(CLIENTS)).toBe(table);
  });

  test('is made anew at each change', () => {
    const bench = new Bench(specOf('sh'), [server(2), server(1)]);
    bench.add(server(3));
    expect(bench.choices(CLIENTS)).toBe(`${'321'.repeat(85)}3`);
    bench.edit(1, 2);
    expect(bench.choices(CLIENTS)).toBe('3221'.repeat(64));
    bench.remove(0);
    expect(bench.choices(CLIENTS)).toBe(`${'221'.repeat(85)}2`);
  });
});

describe('sh-fallback', () => {
  test('begins at the bucket of double the number and goes up', () => {
    const weights = [64, 1, 63, 64, 63, 1];
    const bench = new Bench(
      specOf('sh'),
      weights.map((weight, at) => server(at + 1, { weight })),
    );
    const table = bench.choices(CLIENTS);
    bench.flags = SERVICE_FLAG.SCHED_1;
    bench.dests[2]!.overloaded = true;
    bench.dests[4]!.overloaded = true;
    const expected = Array.from(table, (own, home) => {
      for (let probe = home, step = -1; ; probe = 2 * home + ++step) {
        const found = table[probe % BUCKETS]!;
        if (found !== '3' && found !== '5') return found;
        expect(own === '3' || own === '5').toBe(true);
      }
    });
    expect(bench.choices(CLIENTS)).toBe(expected.join(''));
  });

  test('gives up after one round', () => {
    const bench = new Bench(specOf('sh'), [server(1, { weight: 256 }), server(2)]);
    bench.flags = SERVICE_FLAG.SCHED_1;
    bench.dests[0]!.overloaded = true;
    expect(bench.choose()).toBeUndefined();
  });
});

describe('sh-port', () => {
  test.each([
    { protocol: PROTOCOL.TCP, isHashed: true },
    { protocol: PROTOCOL.UDP, isHashed: true },
    { protocol: PROTOCOL.SCTP, isHashed: true },
    { protocol: 47, isHashed: false },
  ])('adds the client port of protocol $protocol: $isHashed', ({ protocol, isHashed }) => {
    const bench = new Bench(specOf('sh'), [server(1), server(2), server(3)]);
    const flows = Array.from({ length: 64 }, (_, i) => ({ ...flowFrom('10.1.0.2', i), protocol }));
    const moved = flows.map((flow) => ({ ...flow, caddr: ipv4(0x0a010002 + flow.cport) }));
    const asMoved = bench.choices(moved);
    bench.flags = SERVICE_FLAG.SCHED_2;
    expect(bench.choices(flows)).toBe(isHashed ? asMoved : asMoved[0]!.repeat(64));
  });
});

function bucketOf(word: number): number {
  return Number(((BigInt(word) * 0x61c88647n) % 2n ** 32n) / 2n ** 24n);
}
