/** Bits of the fraction that a bucket keeps: 128 buckets for each doubling, 0.8 % wide at the most. */
const FRACTION_BITS = 7;
/** Bits of the fraction in the upper half of a double. */
const UPPER_FRACTION_BITS = 20;
const SHIFT = UPPER_FRACTION_BITS - FRACTION_BITS;
/** Times are told apart from 2^-20 ms to 2^43 ms. */
const FIRST = (1023 - 20) << FRACTION_BITS;
const BUCKETS = 63 << FRACTION_BITS;

const double = new DataView(new ArrayBuffer(8));

/** Response times in ms: exact count, mean, highest; quantiles to within 0.8 %, in memory that does not grow. */
export class Histogram {
  readonly buckets: Float64Array;
  count = 0;
  highest = 0;
  private sum = 0;
  private low = BUCKETS;
  private high = -1;

  constructor() {
    this.buckets = new Float64Array(BUCKETS);
  }

  add(value: number): void {
    this.count++;
    this.sum += value;
    if (value > this.highest) this.highest = value;
    const at = bucketOf(value);
    this.buckets[at]!++;
    if (at < this.low) this.low = at;
    if (at > this.high) this.high = at;
  }

  /** NaN if there is nothing. */
  get mean(): number {
    return this.sum / this.count;
  }

  /** @returns the value below which `share` of all are; NaN if there is nothing */
  quantile(share: number): number {
    if (this.count === 0) return Number.NaN;
    const wanted = share * this.count;
    let seen = 0;
    for (let at = this.low; at <= this.high; at++) {
      const here = this.buckets[at]!;
      if (seen + here >= wanted && here > 0) {
        return Math.min(edgeOf(at + (wanted - seen) / here), this.highest);
      }
      seen += here;
    }
    return this.highest;
  }

  /** Buckets in use: upper edge in ms, and how many values are in it. */
  filled(): { readonly below: number; readonly count: number }[] {
    const found = [];
    for (let at = Math.max(this.low, 0); at <= this.high; at++) {
      if (this.buckets[at]! > 0) found.push({ below: edgeOf(at + 1), count: this.buckets[at]! });
    }
    return found;
  }
}

/** The upper bits of the number itself: exact, and the same on every machine, as a logarithm is not. */
function bucketOf(value: number): number {
  double.setFloat64(0, value);
  const at = (double.getInt32(0) >>> SHIFT) - FIRST;
  return Math.min(Math.max(at, 0), BUCKETS - 1);
}

/** The lower edge of a bucket; within it the position counts in proportion. */
function edgeOf(position: number): number {
  const at = Math.floor(position);
  return lowerEdge(at) + (position - at) * (lowerEdge(at + 1) - lowerEdge(at));
}

function lowerEdge(bucket: number): number {
  double.setInt32(0, (bucket + FIRST) << SHIFT);
  double.setInt32(4, 0);
  return double.getFloat64(0);
}
