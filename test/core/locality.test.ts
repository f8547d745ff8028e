import { beforeEach, describe, expect, test } from 'vitest';
import { type Address, ipv4 } from '../../src/core/address.ts';
import { LocalityCache, type LocalityEntry } from '../../src/core/locality.ts';
import { address, sec } from '../support/core.ts';

const MINUTE = sec(60);
const MANY = 16_384;
const LIMIT = 24_576;
const OTHER = address('10.255.0.1');

let expirationSec: number;
let cache: LocalityCache<LocalityEntry>;

beforeEach(() => {
  expirationSec = 86_400;
  cache = new LocalityCache(() => expirationSec);
});

describe('entries', () => {
  test.each(['10.9.0.1', '255.255.255.255', 'fd00::1'])('of %s are found again', (ip) => {
    const entry = { lastUseMs: 0 };
    cache.add(address(ip), entry);
    expect(cache.use(address(ip), 5)).toBe(entry);
    expect(entry.lastUseMs).toBe(5);
    expect(cache.use(OTHER, 5)).toBeUndefined();
  });

  test('of IPv6 addresses with one word alike are kept apart', () => {
    cache.add(address('a00:1::1'), { lastUseMs: 0 });
    expect(cache.use(address('a00:1::2'), 0)).toBeUndefined();
    expect(cache.use(address('10.0.0.1'), 0)).toBeUndefined();
  });

  test('beyond the limit, the least recently used makes room', () => {
    fill(LIMIT, 0);
    cache.use(nth(0), 1);
    cache.add(OTHER, { lastUseMs: 1 });
    expect(cache.size).toBe(LIMIT);
    expect(cache.use(nth(0), 1)).toBeDefined();
    expect(cache.use(nth(1), 1)).toBeUndefined();
  });
});

describe('what was unused for the expiration time', () => {
  test.each([
    {
      when: 'serves until the check of the 30th minute',
      usedAt: 0,
      expires: 60,
      now: 30 * MINUTE - 1,
      there: true,
    },
    { when: 'is dropped by that check', usedAt: 0, expires: 60, now: 30 * MINUTE, there: false },
    { when: 'is dropped if its time ends with it', usedAt: 0, expires: 1800, now: 30 * MINUTE, there: false },
    { when: 'stays if it has one second left', usedAt: 0, expires: 1801, now: 59 * MINUTE, there: true },
    {
      when: 'is dropped by the next full check then',
      usedAt: 0,
      expires: 1801,
      now: 60 * MINUTE,
      there: false,
    },
    { when: 'goes after a day by default', usedAt: 0, expires: 86_400, now: 1440 * MINUTE, there: false },
    {
      when: 'is there for a day by default',
      usedAt: 0,
      expires: 86_400,
      now: 1440 * MINUTE - 1,
      there: true,
    },
    { when: 'counts from its last use', usedAt: sec(1), expires: 1800, now: 30 * MINUTE, there: true },
  ])('$when', ({ usedAt, expires, now, there }) => {
    cache.use(OTHER, 0);
    cache.add(nth(0), { lastUseMs: usedAt });
    expirationSec = expires;
    expect(cache.use(nth(0), now) !== undefined).toBe(there);
  });

  test('is measured by the setting of the time of the check', () => {
    cache.use(OTHER, 0);
    cache.add(nth(0), { lastUseMs: 0 });
    expirationSec = 1;
    cache.use(OTHER, 29 * MINUTE);
    expect(cache.size).toBe(1);
    cache.use(OTHER, 30 * MINUTE);
    expect(cache.size).toBe(0);
  });
});

describe('of more than 16384 entries', () => {
  test.each([
    { excess: 0, now: 6 * MINUTE, dropped: 0 },
    { excess: 600, now: 6 * MINUTE - 1, dropped: 0 },
    { excess: 600, now: 6 * MINUTE, dropped: 800 },
    { excess: 1, now: 6 * MINUTE, dropped: 1 },
    { excess: 8192, now: 6 * MINUTE, dropped: 8192 },
    { excess: 8192, now: 7 * MINUTE, dropped: 8192 },
  ])('$dropped go by $now ms if there are $excess too many', ({ excess, now, dropped }) => {
    cache.use(OTHER, 0);
    fill(MANY + excess, 0);
    cache.use(OTHER, now);
    expect(cache.size).toBe(MANY + excess - dropped);
  });

  test('those used within 6 minutes stay', () => {
    cache.use(OTHER, 0);
    fill(MANY + 600, 0);
    for (let i = 100; i < MANY + 600; i++) cache.use(nth(i), 1);
    cache.use(OTHER, 6 * MINUTE);
    expect(cache.size).toBe(MANY + 500);
  });

  test('the full check waits until there are fewer', () => {
    expirationSec = 1;
    cache.use(OTHER, 0);
    fill(MANY + 600, 0);
    cache.use(OTHER, 35 * MINUTE - 1);
    expect(cache.size).toBe(MANY - 200);
    cache.use(OTHER, 35 * MINUTE);
    cache.use(OTHER, 36 * MINUTE);
    expect(cache.size).toBe(0);
  });
});

const nth = (i: number): Address => ipv4(0x0a000000 + i);

function fill(count: number, now: number): void {
  for (let i = 0; i < count; i++) cache.add(nth(i), { lastUseMs: now });
}
