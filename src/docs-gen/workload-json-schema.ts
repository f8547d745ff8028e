import { workloadSchema } from '../sim/workload-schema.ts';
import { type JsonSchema, jsonSchemaOf } from './json-schema.ts';

/** One of these says when arrivals end. */
const ENDS: readonly JsonSchema[] = [
  { required: ['duration'] },
  { required: ['connections'] },
  { properties: { arrivals: { properties: { kind: { const: 'trace' } } } } },
];

/** The JSON Schema of workload files, for editors. */
export function workloadJsonSchema(): string {
  const schema = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Workload of uipvs sim',
    ...jsonSchemaOf(workloadSchema),
    anyOf: ENDS,
  };
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}
