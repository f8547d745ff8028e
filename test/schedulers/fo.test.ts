import { expect, test } from 'vitest';
import { Bench, server, specOf } from './fixture.ts';

test.each([
  {
    when: 'weights differ',
    dests: [server(1), server(2, { weight: 3 }), server(3, { weight: 2 })],
    picks: 2,
  },
  { when: 'weights are equal', dests: [server(1, { weight: 3 }), server(2, { weight: 3 })], picks: 1 },
  { when: 'the highest is busy', dests: [server(1), server(2, { weight: 2, active: 999 })], picks: 2 },
  {
    when: 'the highest is overloaded',
    dests: [server(1), server(2, { weight: 2, overloaded: true })],
    picks: 1,
  },
  { when: 'the other is quiesced', dests: [server(1, { weight: 0 }), server(2)], picks: 2 },
])('fo picks $picks when $when', ({ dests, picks }) => {
  expect(new Bench(specOf('fo'), dests).choose()).toBe(dests[picks - 1]);
});
