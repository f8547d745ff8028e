import type { SchedulerSummary } from '../../sim/summary.ts';

/** Version of the form of the JSON output. */
const JSON_SCHEMA = 'uipvs-sim/1';

/** A file that was read, as `sha256sum` tells it. */
export interface InputFile {
  readonly file: string;
  readonly sha256: string;
}

/** All that is told of a comparison. */
export interface Outcome {
  /** Version of the program. */
  readonly version: string;
  /** The command line that makes it again. */
  readonly command: string;
  readonly seed: number;
  readonly replications: number;
  /** SHA-256 over rules, workload and trace, hexadecimal. */
  readonly inputHash: string;
  /** The files themselves, in that order. */
  readonly inputs: readonly InputFile[];
  /** People's name of the service. */
  readonly service: string;
  readonly serverCount: number;
  /** Work that arrives by what can be done; `undefined` for a closed loop. */
  readonly offeredLoad: number | undefined;
  /** Stopped before the end. */
  readonly partial: boolean;
  readonly schedulers: readonly SchedulerSummary[];
}

/** The outcome for programs; what is not known (NaN) is null. */
export function outcomeJson(outcome: Outcome): string {
  return `${JSON.stringify({ schema: JSON_SCHEMA, ...outcome }, undefined, 1)}\n`;
}
