import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Baseline, Figure } from '../figures.ts';

const FILE = fileURLToPath(new URL('../../../bench/micro/baseline.json', import.meta.url));

/**
 * Share by which a figure may be more than it was, by unit: times vary with what else the machine does. Of single
 * moments, in ms, nothing can be said but their limit.
 */
const TOLERANCES: Readonly<Record<string, number>> = { ns: 1, us: 1, x: 0.5, B: 0.1 };

interface BaselineFile {
  /** Where the values were measured. */
  readonly machine: string;
  readonly figures: Readonly<Record<string, Baseline>>;
}

/** Adds to each figure what it was when the baseline was recorded; new figures have none. */
export function withBaseline(figures: readonly Figure[]): Figure[] {
  const { figures: known } = JSON.parse(readFileSync(FILE, 'utf8')) as BaselineFile;
  return figures.map((figure) => {
    const baseline = known[figure.what];
    return baseline ? { ...figure, baseline } : figure;
  });
}

/** Makes these figures the baseline. */
export function recordBaseline(figures: readonly Figure[]): void {
  const file: BaselineFile = {
    machine: `${cpus()[0]?.model ?? 'unknown'}, Node ${process.versions.node}`,
    figures: Object.fromEntries(
      figures.flatMap(({ what, value, unit }) => {
        const tolerance = TOLERANCES[unit];
        return tolerance === undefined ? [] : [[what, { value: Number(value.toPrecision(3)), tolerance }]];
      }),
    ),
  };
  writeFileSync(FILE, `${JSON.stringify(file, undefined, 2)}\n`);
}
