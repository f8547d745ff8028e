import type { Imbalance, LoadSeries } from './results.ts';
import type { Server } from './servers.ts';

/** Samples that are kept as a series; when there are more, every other one goes. */
const MOST_KEPT = 400;
/** Servers that have a series of their own. */
const MOST_DETAILED = 24;

/** Open connections of the servers that may be chosen, sampled at equal intervals. */
export class LoadSamples {
  private readonly servers: readonly Server[];
  private readonly weights: ArrayLike<number>;
  private readonly openSums: Float64Array;
  private count = 0;
  private judged = 0;
  private ratioSum = 0;
  private cvSum = 0;
  private jainSum = 0;
  private stride = 1;
  private series;

  /**
   * @param weights by server, as the tables have them at present
   * @param isDetailed whether a series is kept of each server
   */
  constructor(servers: readonly Server[], weights: ArrayLike<number>, isDetailed: boolean) {
    this.servers = servers;
    this.weights = weights;
    this.openSums = new Float64Array(servers.length);
    this.series = {
      atMs: [] as number[],
      mean: [] as number[],
      max: [] as number[],
      min: [] as number[],
      open: (isDetailed ? servers.slice(0, MOST_DETAILED) : []).map(() => [] as number[]),
    };
  }

  /** @param isMeasured whether the warm-up is over */
  take(now: number, isMeasured: boolean): void {
    const { servers, weights } = this;
    let chosen = 0;
    let sum = 0;
    let squares = 0;
    let max = 0;
    let min = Number.POSITIVE_INFINITY;
    for (let i = 0; i < servers.length; i++) {
      const { open } = servers[i]!;
      if (isMeasured) this.openSums[i]! += open;
      if (weights[i]! <= 0) continue;
      const load = open / weights[i]!;
      chosen++;
      sum += load;
      squares += load * load;
      if (load > max) max = load;
      if (load < min) min = load;
    }
    if (chosen === 0) return;
    this.note(now, sum / chosen, max, min);
    if (!isMeasured) return;
    this.count++;
    if (sum === 0) return;
    const mean = sum / chosen;
    this.judged++;
    this.ratioSum += max / mean;
    this.cvSum += Math.sqrt(Math.max(0, squares / chosen - mean * mean)) / mean;
    this.jainSum += (sum * sum) / (chosen * squares);
  }

  imbalance(): Imbalance {
    const { judged } = this;
    return { maxOverMean: this.ratioSum / judged, cv: this.cvSum / judged, jain: this.jainSum / judged };
  }

  meanOpen(server: number): number {
    return this.count === 0 ? 0 : this.openSums[server]! / this.count;
  }

  read(): LoadSeries {
    return this.series;
  }

  private skipped = 0;

  private note(now: number, mean: number, max: number, min: number): void {
    if (++this.skipped < this.stride) return;
    this.skipped = 0;
    const { series } = this;
    series.atMs.push(now);
    series.mean.push(mean);
    series.max.push(max);
    series.min.push(min);
    for (const [i, values] of series.open.entries()) values.push(this.servers[i]!.open);
    if (series.atMs.length < MOST_KEPT) return;
    const everyOther = (values: number[]): number[] => values.filter((_, i) => i % 2 === 1);
    this.stride *= 2;
    this.series = {
      atMs: everyOther(series.atMs),
      mean: everyOther(series.mean),
      max: everyOther(series.max),
      min: everyOther(series.min),
      open: series.open.map(everyOther),
    };
  }
}
