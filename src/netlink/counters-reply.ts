import type { StatsSnapshot } from '../core/config.ts';
import { STATS } from './ipvs-abi.ts';
import { ATTRIBUTE_HEADER_LEN, align4, attributeLength, attributeType, u64At } from './wire.ts';

const NO_BYTES = new Uint8Array(0);
const VALUE_LEN = 8;
/** Numbers of the counters are the same in STATS and STATS64. */
const COUNTERS = STATS.OUTBPS + 1;

/**
 * The counters of an entry, read from the attribute STATS64 of a reply when the first one is asked for: few listings
 * show any, and they are two thirds of a dump. Counters that are missing or malformed are 0.
 */
export class CountersReply implements StatsSnapshot {
  private readonly source: Uint8Array;
  private readonly start: number;
  private readonly end: number;
  private values: readonly number[] | undefined;

  /** The attribute's value is `source` from `start` to `end`. */
  constructor(source: Uint8Array, start: number, end: number) {
    this.source = source;
    this.start = start;
    this.end = end;
    this.values = undefined;
  }

  get conns(): number {
    return this.counter(STATS.CONNS);
  }

  get inPackets(): number {
    return this.counter(STATS.INPKTS);
  }

  get outPackets(): number {
    return this.counter(STATS.OUTPKTS);
  }

  get inBytes(): number {
    return this.counter(STATS.INBYTES);
  }

  get outBytes(): number {
    return this.counter(STATS.OUTBYTES);
  }

  get cps(): number {
    return this.counter(STATS.CPS);
  }

  get inPps(): number {
    return this.counter(STATS.INPPS);
  }

  get outPps(): number {
    return this.counter(STATS.OUTPPS);
  }

  get inBps(): number {
    return this.counter(STATS.INBPS);
  }

  get outBps(): number {
    return this.counter(STATS.OUTBPS);
  }

  private counter(type: number): number {
    this.values ??= readCounters(this.source, this.start, this.end);
    return this.values[type]!;
  }
}

/** Nothing was counted. */
export const NO_COUNTERS = new CountersReply(NO_BYTES, 0, 0);

/** @returns the counters by their numbers; all 0 if one is too short to be one. */
function readCounters(source: Uint8Array, start: number, end: number): number[] {
  const values = new Array<number>(COUNTERS).fill(0);
  let length = attributeLength(source, start, end);
  for (let at = start; length > 0; length = attributeLength(source, at, end)) {
    const type = attributeType(source, at);
    if (type >= STATS.CONNS && type < COUNTERS) {
      if (length < ATTRIBUTE_HEADER_LEN + VALUE_LEN) return new Array<number>(COUNTERS).fill(0);
      values[type] = u64At(source, at + ATTRIBUTE_HEADER_LEN);
    }
    at += align4(length);
  }
  return values;
}
