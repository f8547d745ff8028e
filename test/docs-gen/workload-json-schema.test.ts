import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { jsonSchemaOf } from '../../src/docs-gen/json-schema.ts';
import { workloadJsonSchema } from '../../src/docs-gen/workload-json-schema.ts';
import { workloadSchema } from '../../src/sim/workload-schema.ts';

const TUTORIAL = fileURLToPath(new URL('../../docs/laboratory.md', import.meta.url));
const SCHEMA: Schema = JSON.parse(workloadJsonSchema());
const BASE = { connections: 1, serviceTime: { kind: 'exponential', mean: '10ms' } };
const POISSON = { ...BASE, arrivals: { kind: 'poisson', rate: 1 } };

test.each([
  { name: 'poisson arrivals', file: POISSON },
  {
    name: 'bursts',
    file: {
      ...BASE,
      arrivals: { kind: 'bursts', calmRate: 0, burstRate: 5, calmMean: '1s', burstMean: '2 min' },
    },
  },
  {
    name: 'a closed loop',
    file: {
      ...BASE,
      arrivals: { kind: 'closed', clients: 3, think: { kind: 'empirical', values: ['1ms'] } },
    },
  },
  {
    name: 'a trace that says itself when it ends',
    file: { serviceTime: BASE.serviceTime, arrivals: { kind: 'trace', file: 'a', to: '[::1]:80' } },
  },
  {
    name: 'servers',
    file: { ...POISSON, servers: { default: { concurrency: 'unlimited' }, '10.0.0.1:80': { backlog: 0 } } },
  },
  {
    name: 'churn',
    file: { ...POISSON, churn: [{ do: 'add', at: '1s', server: '10.0.0.2:80', weight: 65535 }] },
  },
  {
    name: 'a share of each form',
    file: {
      ...POISSON,
      clients: { nat: { share: '5%', addresses: 1 } },
      longLived: { share: 0.5, duration: { kind: 'deterministic', value: '1h' } },
    },
  },
])('schema and program accept $name', ({ file }) => {
  expect(v.safeParse(workloadSchema, file).success).toBe(true);
  expect(fits(file, SCHEMA)).toBe(true);
});

test.each([
  { name: 'no end', file: { serviceTime: BASE.serviceTime, arrivals: POISSON.arrivals } },
  { name: 'no service time', file: { connections: 1, arrivals: POISSON.arrivals } },
  { name: 'another key', file: { ...POISSON, foo: 1 } },
  { name: 'another kind', file: { ...BASE, arrivals: { kind: 'poison', rate: 1 } } },
  { name: 'a rate of 0', file: { ...BASE, arrivals: { kind: 'poisson', rate: 0 } } },
  { name: 'half a connection', file: { ...POISSON, connections: 0.5 } },
  { name: 'a time without a unit', file: { ...POISSON, warmup: '5' } },
  { name: 'a share above 1', file: { ...POISSON, clients: { nat: { share: 1.5, addresses: 1 } } } },
  { name: 'a list of no times', file: { ...POISSON, serviceTime: { kind: 'empirical', values: [] } } },
  {
    name: 'a server without a port',
    file: { ...POISSON, churn: [{ do: 'remove', at: '1s', server: '10.0.0.2' }] },
  },
  {
    name: 'a discipline that there is not',
    file: { ...POISSON, servers: { default: { discipline: 'lifo' } } },
  },
  {
    name: 'a weight beyond 16 bits',
    file: { ...POISSON, churn: [{ do: 'weight', at: '1s', server: '10.0.0.2:80', weight: 65536 }] },
  },
])('schema and program refuse $name', ({ file }) => {
  expect(v.safeParse(workloadSchema, file).success).toBe(false);
  expect(fits(file, SCHEMA)).toBe(false);
});

test('the workload of the tutorial is sound', () => {
  const [, text] = /```yaml\n([\s\S]*?)```/.exec(readFileSync(TUTORIAL, 'utf8'))!;
  const file: unknown = parse(text!);
  expect(v.safeParse(workloadSchema, file).issues).toBe(undefined);
  expect(fits(file, SCHEMA)).toBe(true);
});

test('a kind of schema that is not known is a defect', () => {
  expect(() => jsonSchemaOf(v.date())).toThrow("no JSON Schema is known for 'date'");
  expect(() => jsonSchemaOf(v.pipe(v.string(), v.email()))).toThrow("no JSON Schema is known for 'email'");
});

interface Schema {
  readonly [keyword: string]: unknown;
}

/** Whether a value fits a schema, as far as our generator uses the language; a keyword that it does not use throws. */
function fits(value: unknown, schema: Schema): boolean {
  return Object.entries(schema).every(([keyword, wanted]) => {
    const rule = RULES[keyword];
    if (!rule) throw new Error(`the test knows no '${keyword}'`);
    return rule(value, wanted, schema);
  });
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  integer: Number.isInteger,
  array: Array.isArray,
  object: isObject,
};

const ANY = (): boolean => true;

const RULES: Readonly<Record<string, (value: unknown, wanted: unknown, schema: Schema) => boolean>> = {
  $schema: ANY,
  title: ANY,
  description: ANY,
  default: ANY,
  type: (value, wanted) => TYPES[wanted as string]!(value),
  const: (value, wanted) => value === wanted,
  enum: (value, wanted) => (wanted as unknown[]).includes(value),
  pattern: (value, wanted) => typeof value !== 'string' || new RegExp(wanted as string).test(value),
  minimum: (value, wanted) => typeof value !== 'number' || value >= (wanted as number),
  maximum: (value, wanted) => typeof value !== 'number' || value <= (wanted as number),
  exclusiveMinimum: (value, wanted) => typeof value !== 'number' || value > (wanted as number),
  minItems: (value, wanted) => !Array.isArray(value) || value.length >= (wanted as number),
  items: (value, wanted) => !Array.isArray(value) || value.every((item) => fits(item, wanted as Schema)),
  anyOf: (value, wanted) => (wanted as Schema[]).some((schema) => fits(value, schema)),
  required: (value, wanted) => !isObject(value) || (wanted as string[]).every((name) => name in value),
  properties: (value, wanted) =>
    !isObject(value) ||
    Object.entries(wanted as Record<string, Schema>).every(
      ([name, schema]) => !(name in value) || fits(value[name], schema),
    ),
  additionalProperties: (value, wanted, { properties = {} }) =>
    !isObject(value) ||
    Object.keys(value)
      .filter((name) => !(name in (properties as object)))
      .every((name) => wanted !== false && fits(value[name], wanted as Schema)),
};
