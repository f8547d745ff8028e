import { expect, test } from 'vitest';
import { Bench, server, specOf } from './fixture.ts';

test.each([
  { when: 'one is idle', dests: [server(1, { weight: 9, active: 1 }), server(2)], picks: 2 },
  {
    when: 'several are idle',
    dests: [server(1, { active: 1 }), server(2), server(3, { weight: 9 })],
    picks: 2,
  },
  {
    when: 'an idle one has many inactive',
    dests: [server(1, { active: 1 }), server(2, { inactive: 99 })],
    picks: 2,
  },
  { when: 'the idle one is quiesced', dests: [server(1, { weight: 0 }), server(2, { active: 1 })], picks: 2 },
  {
    when: 'the idle one is overloaded',
    dests: [server(1, { overloaded: true }), server(2, { active: 1 })],
    picks: 2,
  },
  { when: 'none is idle', dests: [server(1, { active: 1 }), server(2, { weight: 3, active: 2 })], picks: 2 },
  {
    when: 'none is idle and delays are equal',
    dests: [server(1, { active: 1 }), server(2, { active: 1 })],
    picks: 1,
  },
])('nq picks $picks when $when', ({ dests, picks }) => {
  expect(new Bench(specOf('nq'), dests).choose()).toBe(dests[picks - 1]);
});
