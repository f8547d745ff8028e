import * as v from 'valibot';
import { parseAddress } from '../core/address.ts';
import type { DestKey } from '../core/config.ts';

const UNITS: Readonly<Record<string, number>> = {
  us: 0.001,
  ms: 1,
  s: 1000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const TIME = /^(\d+(?:\.\d+)?)\s*(us|ms|s|min|h|d)$/;
const PERCENT = /^(\d+(?:\.\d+)?)\s*%$/;
const SERVER = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/;

/** A time with its unit, as ms. */
const time = v.pipe(
  v.string('expected a time with its unit, such as 10ms, 1.5s or 2min'),
  v.regex(TIME, 'expected a time with its unit (us, ms, s, min, h or d), such as 10ms'),
  v.transform((text) => {
    const [, number, unit] = TIME.exec(text)!;
    return Number(number) * UNITS[unit!]!;
  }),
);

const longTime = v.pipe(time, v.gtValue(0, 'expected a time above 0'));

const above = (limit: number, what: string) => {
  const message = `expected ${what}`;
  return v.pipe(v.number(message), v.finite(message), v.gtValue(limit, message));
};

const atLeast = (limit: number, what: string) => {
  const message = `expected ${what}`;
  return v.pipe(v.number(message), v.finite(message), v.minValue(limit, message));
};

const whole = (limit: number, most = Number.MAX_SAFE_INTEGER) => {
  const upTo = most === Number.MAX_SAFE_INTEGER ? 'up' : `to ${most}`;
  const message = `expected a whole number from ${limit} ${upTo}`;
  return v.pipe(v.number(message), v.integer(message), v.minValue(limit, message), v.maxValue(most, message));
};

const SHARE_WANTED = 'expected a share from 0 to 1, or a percentage such as 5%';

const share = v.pipe(
  v.union(
    [v.pipe(v.number(), v.minValue(0), v.maxValue(1)), v.pipe(v.string(), v.regex(PERCENT))],
    SHARE_WANTED,
  ),
  v.transform((value) => (typeof value === 'number' ? value : Number.parseFloat(value) / 100)),
  v.minValue(0, SHARE_WANTED),
  v.maxValue(1, SHARE_WANTED),
);

const SERVER_WANTED = 'expected a server as ADDRESS:PORT or [IPV6]:PORT';

/** `ADDRESS:PORT`, `[IPV6]:PORT`. */
const server = v.pipe(
  v.string(SERVER_WANTED),
  v.regex(SERVER, SERVER_WANTED),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const key = parseServer(dataset.value);
    if (key) return key;
    addIssue({ message: SERVER_WANTED });
    return NEVER;
  }),
);

/** @returns `undefined` if the text is no ADDRESS:PORT */
export function parseServer(text: string): DestKey | undefined {
  const found = SERVER.exec(text);
  const addr = found ? parseAddress(found[1] ?? found[2]!) : undefined;
  const port = Number(found?.[3]);
  return addr && port <= 0xffff ? { addr, port } : undefined;
}

const distribution = v.variant('kind', [
  v.strictObject({ kind: v.literal('exponential'), mean: longTime }),
  v.strictObject({ kind: v.literal('deterministic'), value: time }),
  v.strictObject({ kind: v.literal('lognormal'), mean: longTime, sigma: above(0, 'a number above 0') }),
  v.pipe(
    v.strictObject({
      kind: v.literal('pareto'),
      shape: above(0, 'a number above 0'),
      min: longTime,
      max: longTime,
    }),
    v.forward(
      v.check(({ min, max }) => min <= max, 'expected a time not below min'),
      ['max'],
    ),
  ),
  v.strictObject({ kind: v.literal('bimodal'), short: time, long: time, share }),
  v.strictObject({
    kind: v.literal('empirical'),
    values: v.pipe(v.array(time, 'expected a list of times'), v.minLength(1, 'expected at least one time')),
  }),
]);

const rate = above(0, 'connections per second, above 0');

const arrivals = v.variant('kind', [
  v.strictObject({ kind: v.literal('poisson'), rate }),
  v.strictObject({ kind: v.literal('deterministic'), rate }),
  v.strictObject({
    kind: v.literal('bursts'),
    calmRate: atLeast(0, 'connections per second, 0 or more'),
    burstRate: rate,
    calmMean: longTime,
    burstMean: longTime,
  }),
  v.strictObject({ kind: v.literal('diurnal'), rate, swing: share, period: longTime }),
  v.strictObject({
    kind: v.literal('trace'),
    file: v.string('expected the name of a CSV file or a capture'),
    to: v.optional(server),
    work: v.optional(v.picklist(['model', 'duration'], 'expected model or duration')),
  }),
  v.strictObject({ kind: v.literal('closed'), clients: whole(1), think: distribution }),
]);

const model = v.strictObject({
  speed: v.optional(above(0, 'a speed above 0'), 1),
  concurrency: v.optional(
    v.union([whole(1), v.literal('unlimited')], "expected a whole number from 1 up, or 'unlimited'"),
  ),
  discipline: v.optional(v.picklist(['fcfs', 'ps'], 'expected fcfs or ps'), 'fcfs'),
  backlog: v.optional(whole(0)),
});

const MOST_WEIGHT = 65535;
const at = time;

const churn = v.variant('do', [
  v.strictObject({ do: v.literal('add'), at, server, weight: v.optional(whole(0, MOST_WEIGHT), 1) }),
  v.strictObject({ do: v.literal('remove'), at, server }),
  v.strictObject({ do: v.literal('drain'), at, server }),
  v.strictObject({ do: v.literal('weight'), at, server, weight: whole(0, MOST_WEIGHT) }),
  v.strictObject({
    do: v.literal('kill'),
    at,
    server,
    detected: v.optional(time, '0s'),
    down: v.optional(longTime),
  }),
  v.strictObject({
    do: v.literal('flap'),
    at,
    server,
    down: longTime,
    up: longTime,
    times: v.optional(whole(1), 1),
  }),
  v.strictObject({ do: v.literal('slow-start'), at, server, weight: whole(1, MOST_WEIGHT), over: longTime }),
]);

/** A workload file as it is written. */
export const workloadSchema = v.pipe(
  v.strictObject({
    duration: v.optional(longTime),
    connections: v.optional(whole(1)),
    warmup: v.optional(time, '0s'),
    service: v.optional(v.string('expected a service such as tcp 10.0.0.1:80')),
    model: v.optional(v.picklist(['entries', 'counters'], 'expected entries or counters'), 'entries'),
    tableSize: v.optional(whole(1, 2 ** 24), 2 ** 20),
    directors: v.optional(
      v.strictObject({
        count: whole(1, 1000),
        by: v.optional(v.picklist(['client', 'connection'], 'expected client or connection'), 'connection'),
      }),
    ),
    arrivals,
    serviceTime: distribution,
    longLived: v.optional(v.strictObject({ share, duration: distribution })),
    clients: v.optional(
      v.strictObject({
        count: v.optional(whole(1, 10_000_000), 10_000),
        zipf: v.optional(atLeast(0, 'a number of 0 or more'), 0),
        nat: v.optional(v.strictObject({ share, addresses: whole(1) })),
      }),
    ),
    servers: v.optional(v.record(v.string(), model)),
    churn: v.optional(v.array(churn, 'expected a list of events'), []),
  }),
  v.check(
    ({ duration, connections, arrivals: { kind } }) =>
      duration !== undefined || connections !== undefined || kind === 'trace',
    "expected 'duration' or 'connections'",
  ),
);

export type WorkloadFile = v.InferOutput<typeof workloadSchema>;
export type ModelFile = v.InferOutput<typeof model>;
