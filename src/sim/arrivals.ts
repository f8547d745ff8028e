import type { Address } from '../core/address.ts';
import type { Distribution } from './distributions.ts';
import type { Random } from './random.ts';

/** One recorded connection. */
export interface TraceRecord {
  readonly atMs: number;
  /** Number of the client, or -1 if the record says none. */
  readonly client: number;
  /** Work in ms at speed 1, or -1 if the record says none. */
  readonly workMs: number;
  /** The client's port; absent: its next one. */
  readonly port?: number;
}

/** When connections come. Rates per second, times in ms. */
export type Arrivals =
  | { readonly kind: 'poisson'; readonly rate: number }
  | { readonly kind: 'deterministic'; readonly rate: number }
  /** Poisson that switches between two rates after exponential times (MMPP of two states); it begins calm. */
  | {
      readonly kind: 'bursts';
      readonly calmRate: number;
      readonly burstRate: number;
      readonly calmMean: number;
      readonly burstMean: number;
    }
  /** Poisson whose rate swings as a sine: rate (1 + swing sin(2 pi t / period)). */
  | { readonly kind: 'diurnal'; readonly rate: number; readonly swing: number; readonly period: number }
  /** In order of time. `addresses` are those of the clients by number; absent: made up. */
  | {
      readonly kind: 'trace';
      readonly records: readonly TraceRecord[];
      readonly addresses?: readonly Address[];
    }
  /** So many clients, each of which thinks, connects, and waits for the end. */
  | { readonly kind: 'closed'; readonly clients: number; readonly think: Distribution };

/** Arrivals that do not depend on what becomes of earlier ones. */
export type OpenArrivals = Exclude<Arrivals, { kind: 'closed' }>;

/** @returns the time in ms of the arrival after the one at `now`; Infinity if there is none */
export type ArrivalProcess = (now: number) => number;

export function arrivalProcess(arrivals: OpenArrivals, random: Random): ArrivalProcess {
  switch (arrivals.kind) {
    case 'poisson': {
      const gap = 1000 / arrivals.rate;
      return (now) => now + exponential(random) * gap;
    }
    case 'deterministic': {
      // Multiples, not sums: a million steps add up no error.
      const gap = 1000 / arrivals.rate;
      let count = 0;
      return () => ++count * gap;
    }
    case 'bursts':
      return bursts(arrivals, random);
    case 'diurnal':
      return diurnal(arrivals, random);
    case 'trace': {
      const { records } = arrivals;
      let next = 0;
      return () => records[next++]?.atMs ?? Number.POSITIVE_INFINITY;
    }
  }
}

/** @returns arrivals per second over a long time; `undefined` if that depends on the answers (closed loop) */
export function meanRate(arrivals: Arrivals): number | undefined {
  switch (arrivals.kind) {
    case 'poisson':
    case 'deterministic':
    case 'diurnal':
      return arrivals.rate;
    case 'bursts': {
      const { calmRate, burstRate, calmMean, burstMean } = arrivals;
      return (calmRate * calmMean + burstRate * burstMean) / (calmMean + burstMean);
    }
    case 'trace': {
      const last = arrivals.records.at(-1)?.atMs ?? 0;
      return last === 0 ? 0 : (arrivals.records.length * 1000) / last;
    }
    case 'closed':
      return undefined;
  }
}

const exponential = (random: Random): number => -Math.log(1 - random());

function bursts(
  { calmRate, burstRate, calmMean, burstMean }: Extract<Arrivals, { kind: 'bursts' }>,
  random: Random,
): ArrivalProcess {
  let isBurst = false;
  let changesAt = exponential(random) * calmMean;
  return (now) => {
    for (let from = now; ; ) {
      const rate = isBurst ? burstRate : calmRate;
      const at = rate === 0 ? Number.POSITIVE_INFINITY : from + (exponential(random) * 1000) / rate;
      if (at <= changesAt) return at;
      // The gap has no memory: at a change it is drawn anew.
      from = changesAt;
      isBurst = !isBurst;
      changesAt = from + exponential(random) * (isBurst ? burstMean : calmMean);
    }
  };
}

/** By thinning (Lewis and Shedler): candidates at the highest rate, each kept by the present one. */
function diurnal(
  { rate, swing, period }: Extract<Arrivals, { kind: 'diurnal' }>,
  random: Random,
): ArrivalProcess {
  const highest = rate * (1 + swing);
  return (now) => {
    for (let at = now; ; ) {
      at += (exponential(random) * 1000) / highest;
      const present = rate * (1 + swing * Math.sin((2 * Math.PI * at) / period));
      if (random() * highest < present) return at;
    }
  };
}
