import { beforeEach, describe, expect, test } from 'vitest';
import { sec } from '../support/core.ts';
import { Bench, flowToAddress, numberOf, server, specOf } from './fixture.ts';

const HERE = flowToAddress('10.9.0.1');
const ELSEWHERE = flowToAddress('10.9.0.2');
const DAY = sec(86_400);

let bench: Bench;
/** Time of the last visit, ms. */
let clock: number;

beforeEach(() => {
  clock = 0;
  bench = new Bench(
    specOf('lblcr'),
    [1, 2, 3].map((n) => server(n, { weight: 2 })),
  );
});

describe('the set of an address', () => {
  test('has the one server that wlc chose, whatever its load, until that is crowded', () => {
    bench.choose(HERE);
    setLoads({ active: 2, inactive: 999 });
    expect(bench.choices([HERE, HERE])).toBe('11');
    setLoads({ active: 3 });
    expect(bench.choices([HERE])).toBe('2');
  });

  test('is chosen from by weight and load, the newest first of equals', () => {
    grow(2);
    expect(bench.choices([HERE])).toBe('2');
    setLoads({ active: 1 }, { active: 1, inactive: 1 }, {});
    expect(bench.choices([HERE])).toBe('1');
    setLoads({ active: 2 }, { active: 1 }, {});
    bench.dests[0]!.weight = 5;
    expect(bench.choices([HERE])).toBe('1');
  });

  test('lends nobody who is quiesced, overloaded or deleted', () => {
    grow(2);
    setLoads({ inactive: 1 }, {}, {});
    bench.dests[1]!.overloaded = true;
    expect(bench.choices([HERE])).toBe('1');
    bench.dests[1]!.overloaded = false;
    bench.edit(1, 0);
    expect(bench.choices([HERE])).toBe('1');
    bench.edit(1, 2);
    const gone = bench.remove(1);
    expect(bench.choices([HERE])).toBe('1');
    bench.add(gone);
    expect(bench.choices([HERE])).toBe('2');
  });

  test('keeps a deleted server for its return as another object', () => {
    grow(2);
    bench.remove(1);
    setLoads({ inactive: 1 }, {});
    bench.add(server(2, { weight: 2 }));
    expect(bench.choices([HERE])).toBe('2');
  });

  test('does not grow when wlc chooses a member', () => {
    grow(2);
    setLoads({ active: 3 }, { active: 3 }, { active: 0 });
    bench.dests[2]!.overloaded = true;
    expect(bench.choices([HERE, HERE])).toBe('11');
    setLoads({}, {}, {});
    expect(members(sec(1))).toBe('12');
  });

  test('is its own: other addresses have others', () => {
    grow(2);
    setLoads({ inactive: 1 }, { inactive: 1 }, {});
    expect(bench.choices([ELSEWHERE, HERE])).toBe('32');
  });

  test('refuses when nobody can be chosen, and serves again afterwards', () => {
    grow(2);
    for (const at of [0, 1, 2]) bench.edit(at, 0);
    expect(bench.choices([HERE])).toBe('-');
    for (const at of [0, 1, 2]) bench.edit(at, 2);
    expect(bench.choices([HERE])).toBe('2');
  });
});

describe('a set that has not changed for the expiration time', () => {
  test('loses its most loaded member, after it served', () => {
    grow(3);
    setLoads({ inactive: 3 }, { inactive: 2 }, { inactive: 4 });
    visit(DAY);
    expect(members(DAY)).toBe('123');
    visit(DAY + 1);
    expect(members(DAY + 1)).toBe('12');
    visit(2 * DAY + 1);
    expect(members(2 * DAY + 1)).toBe('12');
    visit(2 * DAY + 2);
    expect(members(2 * DAY + 2)).toBe('2');
  });

  test('keeps its last member', () => {
    bench.choose(HERE, 0);
    visit(DAY + 1);
    setLoads({ inactive: 1 });
    expect(bench.choices([HERE], DAY + 2)).toBe('1');
  });

  test('judges a server that was deleted and added again by its new load', () => {
    grow(2);
    bench.remove(1);
    bench.add(server(2, { weight: 2 }));
    setLoads({ inactive: 4 }, { inactive: 3 });
    visit(DAY + 1);
    expect(members(DAY + 1)).toBe('1');
  });

  test('keeps quiesced members', () => {
    grow(2);
    setLoads({ inactive: 3 }, { inactive: 2 });
    bench.edit(0, 0);
    visit(DAY + 1);
    bench.edit(0, 2);
    expect(members(DAY + 1)).toBe('1');
  });

  test('stays when all servers are quiesced', () => {
    grow(2);
    for (const at of [0, 1, 2]) bench.edit(at, 0);
    visit(DAY + 1);
    for (const at of [0, 1, 2]) bench.edit(at, 2);
    bench.settings.set('lblcr_expiration', '1000000');
    expect(members(DAY + 1)).toBe('12');
  });

  test('is judged by the setting of the moment', () => {
    grow(2);
    setLoads({ inactive: 3 }, { inactive: 2 });
    bench.settings.set('lblcr_expiration', '60');
    visit(sec(60));
    expect(members(sec(60))).toBe('12');
    visit(sec(60) + 1);
    expect(members(sec(60) + 1)).toBe('2');
  });
});

type Load = Partial<{ active: number; inactive: number }>;

/** Loads of the first servers of the list; the others' stay. */
function setLoads(...loads: Load[]): void {
  for (const [at, load] of loads.entries()) {
    Object.assign(bench.dests[at]!, { active: 0, inactive: 0 }, load);
  }
}

/** Makes the set of HERE have the servers 1 to `count`, at time 0. */
function grow(count: number): void {
  for (let n = 1; n <= count; n++) {
    setLoads(...Array.from({ length: n - 1 }, () => ({ active: 3 })));
    expect(numberOf(bench.choose(HERE, 0)!)).toBe(n);
  }
  setLoads({}, {}, {});
}

/** Connections to HERE, one an hour, so that the entry is not dropped as unused; the last at `now`. */
function visit(now: number): void {
  for (; clock < now; clock += sec(3600)) bench.choose(HERE, clock);
  clock = now;
  bench.choose(HERE, now);
}

/** Those to whom HERE goes when they are the least loaded. Nobody is crowded then, so that the set does not grow. */
function members(now: number): string {
  const found: number[] = [];
  const loads = bench.dests.map(({ active, inactive }) => ({ active, inactive }));
  for (const dest of bench.dests) {
    setLoads(...bench.dests.map((other) => ({ inactive: other === dest ? 0 : 1 })));
    if (bench.choose(HERE, now) === dest) found.push(numberOf(dest));
  }
  setLoads(...loads);
  return found.sort().join('');
}
