import { expect, test } from 'vitest';
import { Bench, server, specOf } from './fixture.ts';

test.each([
  { when: 'weights differ and all are idle', dests: [server(1), server(2, { weight: 2 })], picks: 2 },
  {
    when: 'expected delays are equal',
    dests: [server(1, { weight: 1 }), server(2, { weight: 2, active: 1 })],
    picks: 1,
  },
  {
    when: 'delays are 3/2 and 2/1',
    dests: [server(1, { active: 1 }), server(2, { weight: 2, active: 2 })],
    picks: 2,
  },
  {
    when: 'inactive ones do not count',
    dests: [server(1, { active: 1 }), server(2, { inactive: 999 })],
    picks: 2,
  },
  { when: 'the first is quiesced', dests: [server(1, { weight: 0 }), server(2, { active: 99 })], picks: 2 },
  {
    when: 'products are beyond 2^53 and differ by one',
    dests: [
      server(1, { weight: 2 ** 31 - 1, active: 2 ** 31 - 1 }),
      server(2, { weight: 2 ** 31 - 2, active: 2 ** 31 - 3 }),
    ],
    picks: 2,
  },
])('sed picks $picks when $when', ({ dests, picks }) => {
  expect(new Bench(specOf('sed'), dests).choose()).toBe(dests[picks - 1]);
});
