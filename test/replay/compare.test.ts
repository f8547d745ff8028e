import { expect, test } from 'vitest';
import { areAlike } from './compare.ts';

const HEAD = 'Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Origin Expires\n';
const line = (state: string, expires: number): string =>
  `TCP 0A010009 0000 0A000001 01BB 0A020001 01BB ${state} SYNC       ${expires}\n`;

test.each([
  ['the same entries some seconds later', line('ASSURED    ', 296), line('ASSURED    ', 291), true],
  ['entries in another state', line('ASSURED    ', 296), line('NONE       ', 296), false],
  ['an entry more', line('NONE       ', 296), line('NONE       ', 296).repeat(2), false],
])('%s', (_, expected, actual, alike) => {
  expect(areAlike(HEAD + expected, HEAD + actual)).toBe(alike);
});
