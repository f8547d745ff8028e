import { type Address, AF_INET } from './address.ts';
import { type EntryRecords, RECORD_WORDS, WORD } from './entry-records.ts';
import type { ConnId } from './flow.ts';
import { mixAddress6, mixHash } from './hash.ts';

// Copies, quicker to read; see entry-records.ts.
const WORDS = RECORD_WORDS;
const { NEXT, CADDR } = WORD;
const V4 = AF_INET;

const FIRST_BUCKETS = 4096;
/** Buckets for each entry: of two entries looked for, hardly one is behind another one. */
const BUCKETS_PER_ENTRY = 2;

/** End of a chain. */
const END = 0;

/**
 * Records by (family, protocol, caddr, cport): chains through the records' word NEXT, the newest first. Buckets grow by
 * linear hashing: each insertion above the load divides a few buckets, so none takes long.
 *
 *   heads  [ id + 1 ][ 0 ][ id + 1 ] ...   0: empty, as untouched memory is
 */
export class TupleIndex {
  private readonly records: EntryRecords;
  private readonly words: Int32Array;
  private readonly heads: Int32Array;
  private readonly seed: number;
  /** Buckets [0, split) are already divided for the next level. */
  private level = FIRST_BUCKETS;
  private split = 0;

  /** @param seed of the hash; any int32 */
  constructor(records: EntryRecords, seed: number) {
    const most = 2 ** Math.ceil(Math.log2(records.capacity * BUCKETS_PER_ENTRY + 1));
    this.records = records;
    this.words = records.words;
    this.heads = new Int32Array(Math.max(FIRST_BUCKETS * 2, most));
    this.seed = seed;
  }

  get bucketCount(): number {
    return this.level + this.split;
  }

  /** @returns the link to the first record of the tuple's bucket: its id plus 1, or 0 */
  first(protocol: number, caddr: Address, cport: number): number {
    const { words } = caddr;
    const client =
      caddr.family === V4
        ? mixHash(this.seed, words[0])
        : mixAddress6(this.seed, words[0], words[1], words[2], words[3]);
    return this.heads[this.bucketOf(mixHash(client, (protocol << 16) | cport))]!;
  }

  /** @returns the link to the first record of a bucket, 0 to `bucketCount` - 1 */
  firstOf(bucket: number): number {
    return this.heads[bucket]!;
  }

  /** Puts a record at the head of its bucket. @param count of the records there are */
  insert(id: ConnId, count: number): void {
    const bucket = this.bucketOf(this.hashOf(id));
    this.words[id * WORDS + NEXT] = this.heads[bucket]!;
    this.heads[bucket] = id + 1;
    const wanted = Math.min(count * BUCKETS_PER_ENTRY, this.heads.length);
    while (this.bucketCount < wanted) this.divideOne();
  }

  remove(id: ConnId): void {
    const { words } = this;
    const after = words[id * WORDS + NEXT]!;
    const bucket = this.bucketOf(this.hashOf(id));
    const link = id + 1;
    let before = this.heads[bucket]!;
    if (before === link) {
      this.heads[bucket] = after;
      return;
    }
    for (;;) {
      const at = (before - 1) * WORDS + NEXT;
      before = words[at]!;
      if (before !== link) continue;
      words[at] = after;
      return;
    }
  }

  private hashOf(id: ConnId): number {
    const { records, words } = this;
    const client = records.isV6(id)
      ? mixAddress6(
          this.seed,
          records.clientWord6(id, 0),
          records.clientWord6(id, 1),
          records.clientWord6(id, 2),
          records.clientWord6(id, 3),
        )
      : mixHash(this.seed, words[id * WORDS + CADDR]!);
    return mixHash(client, (records.protocol(id) << 16) | records.cport(id));
  }

  private bucketOf(hash: number): number {
    const bucket = hash & (this.level - 1);
    return bucket < this.split ? hash & (this.level * 2 - 1) : bucket;
  }

  /** Divides the bucket at `split` between itself and its twin `level` further; the chains keep their order. */
  private divideOne(): void {
    const { heads, words } = this;
    const from = this.split;
    const twin = from + this.level;
    const wide = this.level * 2 - 1;
    let link = heads[from]!;
    let keptTail = END;
    let movedTail = END;
    heads[from] = END;
    while (link !== END) {
      const at = (link - 1) * WORDS + NEXT;
      const after = words[at]!;
      const moves = (this.hashOf(link - 1) & wide) === twin;
      const tail = moves ? movedTail : keptTail;
      if (tail === END) heads[moves ? twin : from] = link;
      else words[(tail - 1) * WORDS + NEXT] = link;
      words[at] = END;
      if (moves) movedTail = link;
      else keptTail = link;
      link = after;
    }
    this.split++;
    if (this.split === this.level) {
      this.level *= 2;
      this.split = 0;
    }
  }
}
