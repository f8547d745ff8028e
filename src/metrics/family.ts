import type { LabelSets, Labels } from './labels.ts';
import type { DirectorView } from './view.ts';

/** Takes one value; values of equal labels are added up. */
export type Add = (labels: Labels, value: number) => void;

/** Busy time and lag of one thread's loop. */
export interface LoopFigures {
  readonly lagSec: number | undefined;
  /** Since the thread began. */
  readonly activeSec: number;
}

/** All that one scrape shows. */
export interface ScrapeView {
  /** `undefined`: the director did not answer. */
  readonly director: DirectorView | undefined;
  readonly loops: Readonly<Record<'main' | 'worker', LoopFigures>>;
}

/** One metric: its name, and where its values come from. */
export interface Family {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  readonly labels: (sets: LabelSets) => readonly string[];
  readonly collect: (view: ScrapeView, add: Add) => void;
}

/** @returns the labels of a metric that the selection does not concern. */
export const fixed =
  (...names: readonly string[]): Family['labels'] =>
  () =>
    names;

/** A metric with a value for the whole director; none where `value` is `undefined` or the director does not answer. */
export function directorWide(
  type: Family['type'],
  name: string,
  help: string,
  value: (director: DirectorView) => number | undefined,
): Family {
  const collect: Family['collect'] = ({ director }, add) => {
    const found = director && value(director);
    if (found !== undefined) add({}, found);
  };
  return { name, type, help, labels: fixed(), collect };
}
