/** What of a valibot schema is looked at; every kind has some of these. */
export interface SchemaNode {
  readonly kind: string;
  readonly type: string;
  readonly pipe?: readonly SchemaNode[];
  readonly message?: unknown;
  readonly requirement?: unknown;
  readonly entries?: Readonly<Record<string, SchemaNode>>;
  readonly options?: readonly unknown[];
  readonly literal?: unknown;
  readonly item?: SchemaNode;
  readonly value?: SchemaNode;
  readonly wrapped?: SchemaNode;
  readonly default?: unknown;
}

/** A JSON Schema, of the drafts that editors know (draft 7). */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** How messages of our schemas begin. */
const WANTED = 'expected ';

/**
 * Describes what a valibot schema takes, before it transforms it. What JSON Schema cannot say (checks across keys) is left
 * out.
 * @throws Error for a kind of schema or action that it does not know
 */
export function jsonSchemaOf(node: SchemaNode): JsonSchema {
  const [first, ...actions] = node.pipe ?? [node];
  // Without its own pipe, which this is.
  const base = first === node || first!.pipe === undefined ? plain(first!) : jsonSchemaOf(first!);
  let schema: JsonSchema = { ...describe(first!), ...base };
  if (isTransformed(first!)) return schema;
  for (const action of actions) {
    if (action.type.endsWith('transform')) return schema;
    schema = { ...schema, ...restriction(action), ...describe(action) };
  }
  return schema;
}

const nodes = (values: readonly unknown[]): readonly SchemaNode[] => values as readonly SchemaNode[];

const isTransformed = ({ pipe }: SchemaNode): boolean =>
  pipe?.some((part) => part.type.endsWith('transform') || (part !== pipe[0] && isTransformed(part))) ?? false;

const describe = ({ message }: SchemaNode): JsonSchema =>
  typeof message === 'string' && message.startsWith(WANTED)
    ? { description: message.slice(WANTED.length) }
    : {};

function plain(node: SchemaNode): JsonSchema {
  switch (node.type) {
    case 'string':
    case 'number':
      return { type: node.type };
    case 'literal':
      return { const: node.literal };
    case 'picklist':
      return { enum: node.options };
    case 'union':
    case 'variant':
      return { anyOf: nodes(node.options!).map(jsonSchemaOf) };
    case 'array':
      return { type: 'array', items: jsonSchemaOf(node.item!) };
    case 'record':
      return { type: 'object', additionalProperties: jsonSchemaOf(node.value!) };
    case 'strict_object':
      return objectOf(node.entries!);
    default:
      throw new Error(`no JSON Schema is known for '${node.type}'`);
  }
}

function objectOf(entries: Readonly<Record<string, SchemaNode>>): JsonSchema {
  const properties = Object.fromEntries(
    Object.entries(entries).map(([name, entry]) => {
      if (entry.type !== 'optional') return [name, jsonSchemaOf(entry)];
      const schema = jsonSchemaOf(entry.wrapped!);
      return [name, entry.default === undefined ? schema : { ...schema, default: entry.default }];
    }),
  );
  const required = Object.keys(entries).filter((name) => entries[name]!.type !== 'optional');
  return {
    type: 'object',
    properties,
    ...(required.length > 0 && { required }),
    additionalProperties: false,
  };
}

function restriction({ type, requirement }: SchemaNode): JsonSchema {
  switch (type) {
    case 'regex':
      return { pattern: (requirement as RegExp).source };
    case 'integer':
      return { type: 'integer' };
    case 'min_value':
      return { minimum: requirement };
    case 'max_value':
      return requirement === Number.MAX_SAFE_INTEGER ? {} : { maximum: requirement };
    case 'gt_value':
      return { exclusiveMinimum: requirement };
    case 'min_length':
      return { minItems: requirement };
    case 'finite':
    case 'check':
    case 'partial_check':
      return {};
    default:
      throw new Error(`no JSON Schema is known for '${type}'`);
  }
}
