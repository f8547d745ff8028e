import { readFileSync } from 'node:fs';
import { areAlike } from './compare.ts';
import { Lab, type StepResult } from './lab.ts';

/** One line of a golden file. */
interface GoldenRecord extends StepResult {
  readonly argv?: readonly string[];
  readonly sh?: string;
  readonly step?: string;
}

interface Difference {
  readonly line: string;
  readonly expected: unknown;
  readonly actual: unknown;
}

export interface Replayed {
  readonly differences: readonly Difference[];
  /** Records that were compared. */
  readonly compared: number;
  /** Records that only a plane of packets can give: what was seen on a wire. */
  readonly leftOut: number;
}

/** Steps about packets on a wire, and commands that are not the director's. */
const LEFT_OUT = /^(sniff|sniffed|sh ping|sh@)/;

/** Plays a scenario in this process and compares each result with the recorded one. */
export async function replayScenario(file: URL): Promise<Replayed> {
  const lab = new Lab();
  const differences: Difference[] = [];
  let compared = 0;
  let leftOut = 0;
  for (const text of readFileSync(file, 'utf8').trim().split('\n')) {
    const record = JSON.parse(text) as GoldenRecord;
    const line = record.argv?.join(' ') ?? (record.sh ? `sh ${record.sh}` : record.step!);
    if (LEFT_OUT.test(line)) {
      leftOut++;
      continue;
    }
    const actual = await lab.play(line);
    if (!actual) continue;
    compared++;
    differences.push(...differencesOf(line, record, actual));
  }
  return { differences, compared, leftOut };
}

function differencesOf(line: string, record: GoldenRecord, actual: StepResult): Difference[] {
  const keys = ['servers', 'result', 'sent', 'status', 'stdout', 'stderr'] as const;
  return keys
    .filter((key) => !isSame(record[key], actual[key]))
    .map((key) => ({ line: `${line} (${key})`, expected: record[key], actual: actual[key] }));
}

const isSame = (expected: unknown, actual: unknown): boolean =>
  typeof expected === 'string' && typeof actual === 'string'
    ? areAlike(expected, actual)
    : JSON.stringify(expected) === JSON.stringify(actual);
