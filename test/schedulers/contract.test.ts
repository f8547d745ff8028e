import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ipv4 } from '../../src/core/address.ts';
import { PROTOCOL, SERVICE_FLAG } from '../../src/core/config.ts';
import type { Flow } from '../../src/core/flow.ts';
import { NO_DEST } from '../../src/core/scheduler.ts';
import { SCHEDULERS } from '../../src/schedulers/registry.ts';
import { ANY_FLOW, Bench, flowFrom, type ServerState, server } from './fixture.ts';

type Reasons = Readonly<Record<string, string>>;

/** Schedulers that refuse although a server is eligible. */
const MAY_REFUSE: Reasons = {
  dh: 'an address has one server, and nobody takes its place',
  sh: 'a client has one server, and nobody takes its place without sh-fallback',
  mh: 'a client has one server, and nobody takes its place without mh-fallback',
  ovf: 'a server with more active connections than its weight is full',
};

/** Schedulers that choose a server above its upper threshold. */
const MAY_CHOOSE_OVERLOADED: Reasons = {
  lblc: 'an address keeps its server, whatever the threshold says',
};

/** Schedulers that use memory for a choice. */
const MAY_ALLOCATE: Reasons = {
  lblc: 'remembers the addresses',
  lblcr: 'remembers the addresses',
};

const ALL = SCHEDULERS.map((spec) => ({ name: spec.name, spec }));
const without = (reasons: Reasons): typeof ALL => ALL.filter(({ name }) => !(name in reasons));

const holds = (property: Parameters<typeof fc.assert>[0]): void => {
  void fc.assert(property, { numRuns: 50 });
};

const CALLS = 100_000;

const state: fc.Arbitrary<ServerState> = fc.record({
  weight: fc.oneof(fc.nat(4), fc.nat(65535)),
  active: fc.nat(1000),
  inactive: fc.nat(1000),
  overloaded: fc.boolean(),
});

const flow: fc.Arbitrary<Flow> = fc.record({
  protocol: fc.constantFrom(PROTOCOL.TCP, PROTOCOL.UDP),
  caddr: fc.integer().map(ipv4),
  cport: fc.nat(65535),
  vaddr: fc.nat(5).map(ipv4),
  vport: fc.constant(80),
  fwmark: fc.constant(0),
});

const flags = fc.constantFrom(
  0,
  SERVICE_FLAG.SCHED_1,
  SERVICE_FLAG.SCHED_2,
  SERVICE_FLAG.SCHED_1 | SERVICE_FLAG.SCHED_2,
);

type Change =
  | { kind: 'add' | 'load'; state: ServerState; at: number }
  | { kind: 'edit'; at: number; weight: number }
  | { kind: 'remove'; at: number };

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ kind: fc.constantFrom('add' as const, 'load' as const), state, at: fc.nat(5) }),
  fc.record({ kind: fc.constant('edit' as const), at: fc.nat(5), weight: fc.nat(5) }),
  fc.record({ kind: fc.constant('remove' as const), at: fc.nat(5) }),
);

describe.each(ALL)('scheduler $name', ({ spec }) => {
  test('refuses an empty list', () => {
    expect(new Bench(spec, []).choose()).toBeUndefined();
  });

  test('refuses when every server is quiesced or overloaded', () => {
    const dests = [server(1, { weight: 0 }), server(2, { overloaded: true })];
    expect(new Bench(spec, dests).choose()).toBeUndefined();
  });

  test('takes the only server, if it is idle', () => {
    expect(new Bench(spec, [server(1)]).choices([ANY_FLOW, ANY_FLOW])).toBe('11');
  });

  test('never chooses a quiesced server, or one that is not in the list', () => {
    holds(
      fc.property(fc.array(state, { maxLength: 6 }), steps, flags, (states, changes, bits) => {
        for (const dest of played(spec, states, changes, bits)) expect(dest.weight).toBeGreaterThan(0);
      }),
    );
  });

  test('gives the same choices for the same input', () => {
    holds(
      fc.property(fc.array(state, { minLength: 1, maxLength: 6 }), fc.array(flow), (states, flows) => {
        const choices = (): string => new Bench(spec, states.map(numbered)).choices(flows);
        expect(choices()).toBe(choices());
      }),
    );
  });

  test('forgets a server that was removed, and goes on when all were', () => {
    const bench = new Bench(spec, [server(1), server(2)]);
    bench.choose();
    bench.remove(0);
    expect(bench.choices([ANY_FLOW, ANY_FLOW])).toBe('22');
    bench.remove(0);
    expect(bench.choose()).toBeUndefined();
    bench.add(server(3));
    expect(bench.choices([ANY_FLOW])).toBe('3');
  });
});

describe.each(without(MAY_CHOOSE_OVERLOADED))('scheduler $name', ({ spec }) => {
  test('never chooses an overloaded server', () => {
    holds(
      fc.property(fc.array(state, { maxLength: 6 }), steps, flags, (states, changes, bits) => {
        for (const dest of played(spec, states, changes, bits)) expect(dest.overloaded).toBe(false);
      }),
    );
  });
});

describe.each(without(MAY_REFUSE))('scheduler $name', ({ spec }) => {
  test('finds a server as long as one is eligible', () => {
    holds(
      fc.property(withEligible(state), fc.array(flow, { minLength: 1 }), (states, flows) => {
        const bench = new Bench(spec, states.map(numbered));
        expect(bench.choices(flows)).not.toContain('-');
      }),
    );
  });
});

describe.each(ALL.filter(({ name }) => name === 'sh' || name === 'mh'))('scheduler $name', ({ spec }) => {
  test('finds a server with its fallback flag as long as one is eligible', () => {
    const small = state.map((each): ServerState => ({ ...each, weight: each.weight! % 5 }));
    holds(
      fc.property(withEligible(small), fc.array(flow, { minLength: 1 }), (states, flows) => {
        const bench = new Bench(spec, states.map(numbered));
        bench.flags = SERVICE_FLAG.SCHED_1;
        expect(bench.choices(flows)).not.toContain('-');
      }),
    );
  });
});

describe.each(without(MAY_ALLOCATE))('scheduler $name', ({ spec }) => {
  test('allocates nothing to choose', () => {
    const bench = new Bench(
      spec,
      [1, 2, 3, 4].map((n) => server(n, { weight: n, active: n % 3, inactive: 5 })),
    );
    bench.flags = SERVICE_FLAG.SCHED_1 | SERVICE_FLAG.SCHED_2;
    const flows = Array.from({ length: 64 }, (_, i) => flowFrom(`10.1.7.${i}`, 1000 + i));
    const choose = (): number => {
      let sum = 0;
      for (let i = 0; i < CALLS; i++) sum += bench.scheduler.schedule(bench.dests, flows[i & 63]!, i);
      return sum;
    };
    choose();
    expect(leastBytes(choose) / CALLS).toBeLessThan(4);
  });
});

/** Up to six servers, the last of them eligible. */
function withEligible(any: fc.Arbitrary<ServerState>): fc.Arbitrary<ServerState[]> {
  const eligible = any.map((each) => ({ ...each, weight: each.weight! + 1, overloaded: false }));
  return fc.tuple(fc.array(any, { maxLength: 5 }), eligible).map(([others, last]) => [...others, last]);
}

const steps = fc.array(fc.tuple(change, flow), { maxLength: 20 });

/** Plays the changes with a choice after each. @returns the chosen servers, as they were when chosen */
function* played(
  spec: (typeof SCHEDULERS)[number],
  states: readonly ServerState[],
  changes: readonly (readonly [Change, Flow])[],
  bits: number,
): Generator<{ weight: number; overloaded: boolean }> {
  const bench = new Bench(spec, states.map(numbered));
  bench.flags = bits;
  for (const [each, next] of changes) {
    apply(bench, each);
    const at = bench.scheduler.schedule(bench.dests, next, 0);
    expect(at).toBeGreaterThanOrEqual(NO_DEST);
    expect(at).toBeLessThan(bench.dests.length);
    if (at !== NO_DEST) yield bench.dests[at]!;
  }
}

function apply(bench: Bench, each: Change): void {
  if (each.kind === 'add') bench.add(server(100 + bench.dests.length, each.state));
  else if (each.at >= bench.dests.length) return;
  else if (each.kind === 'remove') bench.remove(each.at);
  else if (each.kind === 'edit') bench.edit(each.at, each.weight);
  else {
    const { active, inactive, overloaded } = each.state;
    Object.assign(bench.dests[each.at]!, { active, inactive, overloaded });
  }
}

const numbered = (each: ServerState, at: number): ReturnType<typeof server> => server(at + 1, each);

/** The least growth of the heap over several runs: what else the process does can only add to it. */
function leastBytes(run: () => unknown): number {
  const gc = globalThis.gc;
  if (!gc) throw new Error('this test needs node --expose-gc');
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 3; i++) {
    gc();
    const before = process.memoryUsage().heapUsed;
    run();
    least = Math.min(least, process.memoryUsage().heapUsed - before);
  }
  return least;
}
