import { METRICS } from './summary.ts';

/** A claim about a metric: `p99<8ms`, `refused<=1%`, `jain>0.9`. */
export interface Assertion {
  readonly text: string;
  readonly metric: string;
  readonly relation: '<' | '<=' | '>' | '>=';
  /** In the metric's unit: ms, ratio or share. */
  readonly limit: number;
}

const FORM = /^\s*([a-z][\w.]*)\s*(<=|>=|<|>)\s*(\d+(?:\.\d+)?(?:e[+-]?\d+)?)\s*(us|ms|s|%)?\s*$/i;
const FACTORS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, '%': 0.01 };

/** @returns the assertion, or what is wrong with the text */
export function parseAssertion(text: string): Assertion | string {
  const found = FORM.exec(text);
  if (!found) return `'${text}': expected METRIC<LIMIT, such as p99<8ms or refused<=1%`;
  const [, name = '', relation, number, suffix] = found;
  const metric = METRICS.find((each) => each.name === name);
  if (!metric) {
    return `'${text}': no metric '${name}'; expected one of ${METRICS.map((each) => each.name).join(', ')}`;
  }
  const fits =
    metric.unit === 'ms' ? suffix !== undefined && suffix !== '%' : suffix === undefined || suffix === '%';
  if (!fits)
    return `'${text}': expected ${metric.unit === 'ms' ? 'a time with us, ms or s' : 'a number or a percentage'}`;
  const limit = Number(number) * (suffix === undefined ? 1 : FACTORS[suffix]!);
  return { text: text.trim(), metric: name, relation: relation as Assertion['relation'], limit };
}

/** A value that is not known (NaN) holds for nothing. */
export function holds({ relation, limit }: Assertion, value: number): boolean {
  switch (relation) {
    case '<':
      return value < limit;
    case '<=':
      return value <= limit;
    case '>':
      return value > limit;
    case '>=':
      return value >= limit;
  }
}
