import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { AF_INET } from '../../src/core/address.ts';
import { fillMaglevTable } from '../../src/schedulers/mh.ts';
import { server } from '../schedulers/fixture.ts';
import { slowTable } from '../schedulers/mh-twin.ts';
import {
  BEST_TO_WORST,
  isMet,
  orderedMeans,
  PUBLISHED,
  type PublishedResult,
} from './published/catalogue.ts';
import { kernelPicks } from './published/kernel-picks.ts';
import { maglevDisruption } from './published/maglev.ts';

const GOLDEN = new URL('../golden/traffic/', import.meta.url);
const PAGE = new URL('../../docs/published.md', import.meta.url);

test.each(PUBLISHED)('$title', (result) => {
  const measured = result.measure('reduced');
  expect(`${measured}: ${isMet(result, measured, 'reduced')}`).toBe(`${measured}: true`);
});

test(`the shorter the queue that is joined, the shorter the response: ${BEST_TO_WORST.join(', ')}`, () => {
  const means = orderedMeans('reduced');
  expect(means).toEqual([...means].sort((a, b) => a - b));
});

test('the larger the table, the less of it changes hands when a server goes', () => {
  const shares = [251, 4093, 65_537].map((size) => maglevDisruption(size, 20, 20));
  expect(shares).toEqual([...shares].sort((a, b) => b - a));
});

test('a table of any prime size is what preference lists make of it', () => {
  const dests = [1, 2, 3, 4, 5].map((n) => server(n, { weight: n }));
  for (const size of [251, 4093, 65_537]) {
    const slots = new Int32Array(size);
    fillMaglevTable(slots, dests, AF_INET);
    expect(Array.from(slots, (at) => dests[at])).toEqual(slowTable(dests, size));
  }
});

test('the core chooses as the kernel did in every recorded scenario about schedulers', async () => {
  const all = await kernelPicks(GOLDEN);
  expect(all.filter(({ differences }) => differences > 0)).toEqual([]);
  expect(all.reduce((sum, { picks }) => sum + picks, 0)).toBeGreaterThan(500);
});

test('the page has every result, and each is met', () => {
  const rows = readFileSync(PAGE, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) => line.split('|').map((cell) => cell.trim()));
  const measured = (result: PublishedResult): number =>
    Number(rows.find(([, title]) => title === result.title)?.[4]);
  const unmet = PUBLISHED.filter((result) => !isMet(result, measured(result), 'full'));
  expect(unmet.map(({ title }) => title)).toEqual([]);
});
