import type { StatsSnapshot } from './config.ts';
import type { Direction } from './flow.ts';

/** Columns of every counter array here; those of a direction are its number behind those of INPUT. */
const CONNS = 0;
const IN_PACKETS = 1;
const OUT_PACKETS = 2;
const IN_BYTES = 3;
const OUT_BYTES = 4;
const COLUMNS = 5;

/** Fixed-point scale of the averages: connections and packets 2^10 per unit and second, bytes 2^5. */
const COUNT_GAIN = 512;
const BYTE_GAIN = 16;

/** Period of the estimator in ms. */
export const ESTIMATOR_PERIOD_MS = 2000;

/**
 * Counters of a service, a destination or the whole director, with the kernel's two-second estimator (ip_vs_est.c):
 * what user space reads is the snapshot that `estimate` took last, less the snapshot of the last `zero`.
 */
export class Stats {
  /** Exact to 2^53. */
  private readonly live = new Float64Array(COLUMNS);
  private readonly snapshot = new Float64Array(COLUMNS);
  private readonly zeroPoint = new Float64Array(COLUMNS);
  private readonly average = new Float64Array(COLUMNS);

  countConn(): void {
    this.live[CONNS]! += 1;
  }

  count(direction: Direction, packets: number, bytes: number): void {
    const { live } = this;
    live[IN_PACKETS + direction]! += packets;
    live[IN_BYTES + direction]! += bytes;
  }

  /** One tick of the estimator: averages move a quarter of the way, the snapshot becomes the live counters. */
  estimate(): void {
    const { live, snapshot, average } = this;
    for (let i = 0; i < COLUMNS; i++) {
      const count = live[i]!;
      const rate = (count - snapshot[i]!) * (i < IN_BYTES ? COUNT_GAIN : BYTE_GAIN);
      average[i]! += Math.floor((rate - average[i]!) / 4);
      snapshot[i] = count;
    }
  }

  /** The present snapshot becomes the zero point of what is shown; rates become 0. */
  zero(): void {
    this.zeroPoint.set(this.snapshot);
    this.average.fill(0);
  }

  /** Forgets everything, as for a new object. */
  clear(): void {
    for (const column of [this.live, this.snapshot, this.zeroPoint, this.average]) column.fill(0);
  }

  read(): StatsSnapshot {
    const count = (i: number): number => this.snapshot[i]! - this.zeroPoint[i]!;
    const perSecond = (i: number): number => Math.floor((this.average[i]! + 511) / 1024);
    const bytesPerSecond = (i: number): number => Math.floor((this.average[i]! + 15) / 32);
    return {
      conns: count(CONNS),
      inPackets: count(IN_PACKETS),
      outPackets: count(OUT_PACKETS),
      inBytes: count(IN_BYTES),
      outBytes: count(OUT_BYTES),
      cps: perSecond(CONNS),
      inPps: perSecond(IN_PACKETS),
      outPps: perSecond(OUT_PACKETS),
      inBps: bytesPerSecond(IN_BYTES),
      outBps: bytesPerSecond(OUT_BYTES),
    };
  }

  /** Live counters in the order conns, in packets, out packets, in bytes, out bytes; valid until the next count. */
  readLive(): Float64Array {
    return this.live;
  }
}
