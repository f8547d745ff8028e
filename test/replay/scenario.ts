import { readFileSync } from 'node:fs';
import { areAlike } from './compare.ts';
import { describePackets } from './packet-words.ts';
import type { StepResult } from './step.ts';
import { describeSyncMessages } from './sync-words.ts';

/** One line of a golden file. */
interface GoldenRecord extends StepResult {
  readonly argv?: readonly string[];
  readonly sh?: string;
  readonly step?: string;
  /** Where a command ran. */
  readonly ns?: string;
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
  /** Records that the player does not play. */
  readonly leftOut: number;
}

/** Plays the steps of one scenario. */
export interface Player {
  /** Lines that are not for this player. */
  readonly leavesOut: RegExp | undefined;
  /** @returns `undefined` for a step that gives nothing to compare */
  play(line: string): Promise<StepResult | undefined>;
}

/** Plays a recorded scenario and compares each result with the recorded one. */
export async function replayScenario(file: URL, player: Player): Promise<Replayed> {
  const differences: Difference[] = [];
  let compared = 0;
  let leftOut = 0;
  for (const text of readFileSync(file, 'utf8').trim().split('\n')) {
    const record = JSON.parse(text) as GoldenRecord;
    const line = lineOf(record);
    if (player.leavesOut?.test(line)) {
      leftOut++;
      continue;
    }
    const actual = await player.play(line);
    if (!actual) continue;
    compared++;
    differences.push(...differencesOf(line, record, actual));
  }
  return { differences, compared, leftOut };
}

function lineOf({ argv, sh, step, ns = 'dir' }: GoldenRecord): string {
  if (step !== undefined) return step;
  const [verb, ...words] = argv ?? ['sh', sh];
  return [ns === 'dir' ? verb : `${verb}@${ns}`, ...words].join(' ');
}

function differencesOf(line: string, record: GoldenRecord, actual: StepResult): Difference[] {
  const keys = ['servers', 'result', 'sent', 'status', 'stdout', 'stderr'] as const;
  const found = keys
    .filter((key) => !isSame(record[key], actual[key]))
    .map((key) => ({ line: `${line} (${key})`, expected: record[key], actual: actual[key] }));
  const [wanted, seen] = [wordsOf(record), wordsOf(actual)];
  return isSame(wanted, seen) ? found : [...found, { line, expected: wanted, actual: seen }];
}

/** What was seen on a wire, without what differs from run to run. */
const wordsOf = ({ packets, payloads }: StepResult): readonly string[] =>
  packets ? describePackets(packets) : payloads ? describeSyncMessages(payloads) : [];

const isSame = (expected: unknown, actual: unknown): boolean =>
  typeof expected === 'string' && typeof actual === 'string'
    ? areAlike(expected, actual)
    : JSON.stringify(expected) === JSON.stringify(actual);
