import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Destination, overhead } from '../../src/core/destination.ts';
import { seededRandom } from '../support/core.ts';
import { Bench, numberOf, type ServerState, server, specOf } from './fixture.ts';

const DRAWS = 50_000;

describe('twos', () => {
  test.each([
    { when: 'both draws are the first', draws: [0, 0], picks: '1' },
    { when: 'the first draw is less loaded', draws: [0, 0.99], picks: '1' },
    { when: 'the second draw is less loaded', draws: [0.99, 0], picks: '1' },
    { when: 'both draws are the last', draws: [0.99, 0.99], picks: '3' },
    { when: 'the draw is the sum of the first two weights', draws: [0.5, 0.5], picks: '2' },
    { when: 'the draw is one more', draws: [0.6, 0.6], picks: '3' },
  ])('picks $picks when $when', ({ draws, picks }) => {
    const dests = [server(1, { weight: 1 }), server(2, { weight: 2 }), server(3, { weight: 3, active: 5 })];
    let next = 0;
    const bench = new Bench(specOf('twos'), dests, { random: () => draws[next++]! });
    expect(numberOf(bench.choose()!)).toBe(Number(picks));
    expect(next).toBe(2);
  });

  test('picks what its slow twin does', () => {
    const state: fc.Arbitrary<ServerState> = fc.record({
      weight: fc.nat(9),
      active: fc.nat(20),
      inactive: fc.nat(500),
      overloaded: fc.boolean(),
    });
    const draw = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(fc.array(state, { maxLength: 6 }), draw, draw, (states, first, second) => {
        const dests = states.map((each, at) => server(at + 1, each));
        let calls = 0;
        const bench = new Bench(specOf('twos'), dests, { random: () => (calls++ === 0 ? first : second) });
        expect(bench.choose()).toBe(slowChoice(dests, first, second));
      }),
      { numRuns: 1000 },
    );
  });

  test('chooses idle servers by weight, the first with one ticket more', () => {
    const weights = [1, 2, 4];
    const bench = new Bench(
      specOf('twos'),
      weights.map((weight, at) => server(at + 1, { weight })),
      { random: seededRandom(20_260_101) },
    );
    const seen = [0, 0, 0];
    for (let i = 0; i < DRAWS; i++) seen[numberOf(bench.choose()!) - 1]! += 1;
    for (const [at, tickets] of [2, 2, 4].entries()) expect(seen[at]! / DRAWS).toBeCloseTo(tickets / 8, 2);
  });

  test('avoids the loaded one of two servers unless it is drawn twice', () => {
    const dests = [server(1, { weight: 99 }), server(2, { weight: 99, active: 1 })];
    const bench = new Bench(specOf('twos'), dests, { random: seededRandom(20_260_102) });
    let loaded = 0;
    for (let i = 0; i < DRAWS; i++) if (bench.choose() === dests[1]) loaded++;
    expect(loaded / DRAWS).toBeCloseTo((99 / 199) ** 2, 2);
  });

  test('multiplies in 32 bits', () => {
    const dests = [server(1, { weight: 65_536, active: 256 }), server(2, { weight: 65_536, active: 1 })];
    const draws = [0, 0.9];
    const bench = new Bench(specOf('twos'), dests, { random: () => draws.shift()! });
    expect(bench.choose()).toBe(dests[0]);
  });
});

/** Lists a ticket per unit of weight, one more for the first server, and draws two. */
function slowChoice(dests: readonly Destination[], first: number, second: number): Destination | undefined {
  const eligible = dests.filter((dest) => dest.weight > 0 && !dest.overloaded);
  const tickets = eligible.flatMap((dest) => new Array<Destination>(dest.weight).fill(dest));
  if (tickets.length === 0) return undefined;
  tickets.unshift(tickets[0]!);
  const [a, b] = [first, second].map((draw) => tickets[Math.floor(draw * tickets.length)]!) as [
    Destination,
    Destination,
  ];
  return overhead(b) / b.weight < overhead(a) / a.weight ? b : a;
}
