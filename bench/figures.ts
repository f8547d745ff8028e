/** One result of a bench. Less is better. */
export interface Figure {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** What the value may be at the most; without one it is only told. */
  readonly limit?: number;
}

/** Prints the figures beside their limits. @returns the exit status: 1 if a limit is missed */
export function report(figures: readonly Figure[]): number {
  for (const { what, value, unit, limit } of figures) {
    const verdict =
      limit === undefined ? '' : `limit ${limit.toPrecision(3)} ${value <= limit ? 'ok' : 'MISSED'}`;
    process.stdout.write(`${what.padEnd(64)} ${value.toFixed(2).padStart(9)} ${unit.padEnd(2)} ${verdict}\n`);
  }
  return figures.some(({ value, limit }) => limit !== undefined && value > limit) ? 1 : 0;
}
