/** One result of a bench. Less is better, but where `atLeast` is given. */
export interface Figure {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** What the value may be at the most; without one it is only told. */
  readonly limit?: number;
  /** What the value must be at the least; more is better then. */
  readonly atLeast?: number;
  /** What it was, and by which share of that it may be more. */
  readonly baseline?: Baseline;
}

export interface Baseline {
  readonly value: number;
  readonly tolerance: number;
}

/** Prints the figures beside their limits. @returns the exit status: 1 if a limit or a tolerance is missed */
export function report(figures: readonly Figure[]): number {
  for (const figure of figures) {
    const { what, value, unit } = figure;
    const line = `${what.padEnd(76)} ${value.toFixed(2).padStart(9)} ${unit.padEnd(2)} ${notesOn(figure).join(', ')}`;
    process.stdout.write(`${line.trimEnd()}\n`);
  }
  return figures.some(isMissed) ? 1 : 0;
}

function notesOn({ value, limit, atLeast, baseline }: Figure): string[] {
  const notes: string[] = [];
  if (limit !== undefined) notes.push(`limit ${limit.toPrecision(3)} ${verdict(value <= limit)}`);
  if (atLeast !== undefined) notes.push(`at least ${atLeast.toPrecision(3)} ${verdict(value >= atLeast)}`);
  if (baseline) {
    const percent = Math.round(baseline.tolerance * 100);
    notes.push(`baseline ${baseline.value} + ${percent} % ${verdict(value <= mostOf(baseline))}`);
  }
  return notes;
}

const verdict = (isMet: boolean): string => (isMet ? 'ok' : 'MISSED');

const mostOf = ({ value, tolerance }: Baseline): number => value * (1 + tolerance);

const isMissed = ({ value, limit, atLeast, baseline }: Figure): boolean =>
  (limit !== undefined && value > limit) ||
  (atLeast !== undefined && value < atLeast) ||
  (baseline !== undefined && value > mostOf(baseline));
