import { expect, test } from 'vitest';
import { Coalesced } from '../../../src/net/packet/coalesced.ts';

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('those who ask while a job runs share the next one, which sees all that they did before', async () => {
  let state = 0;
  const seen: number[] = [];
  const job = new Coalesced(async () => {
    seen.push(state);
    await nextTurn();
    await nextTurn();
  });
  const asked = [];
  for (state = 1; state < 5; state++) {
    asked.push(job.run());
    if (state === 1) await nextTurn();
  }
  await Promise.all(asked);
  expect(seen).toEqual([1, 5]);
});

test('a job that fails is told to those who asked for it, and the next one begins', async () => {
  let fails = true;
  const job = new Coalesced(async () => {
    if (fails) throw new Error('no');
  });
  await expect(job.run()).rejects.toThrow('no');
  fails = false;
  await job.run();
  await job.ended();
});
