import { expect, test } from 'vitest';
import { Bench, server, specOf } from './fixture.ts';

test.each([
  { when: 'weights differ', dests: [server(1), server(2, { weight: 3 })], picks: 2 },
  { when: 'weights are equal', dests: [server(1, { weight: 3 }), server(2, { weight: 3 })], picks: 1 },
  {
    when: 'as many are active as the weight',
    dests: [server(1), server(2, { weight: 3, active: 3 })],
    picks: 2,
  },
  { when: 'one more is active', dests: [server(1), server(2, { weight: 3, active: 4 })], picks: 1 },
  { when: 'many are inactive', dests: [server(1), server(2, { weight: 3, inactive: 99 })], picks: 2 },
  {
    when: 'the highest is overloaded',
    dests: [server(1), server(2, { weight: 3, overloaded: true })],
    picks: 1,
  },
])('ovf picks $picks when $when', ({ dests, picks }) => {
  expect(new Bench(specOf('ovf'), dests).choose()).toBe(dests[picks - 1]);
});

test('ovf picks nobody when all have more active connections than weight', () => {
  const dests = [server(1, { active: 2 }), server(2, { weight: 3, active: 4 })];
  expect(new Bench(specOf('ovf'), dests).choose()).toBeUndefined();
});
