/** Payload bytes of a block. */
const BLOCK_BYTES = 512;
/** Largest IPv6 packet. */
const PACKET_BYTES = 40 + 65_535;

const NONE = -1;

/**
 * What waits to be put together: byte strings ("runs") as chains of blocks, allocated once. A run is named by its first
 * block, and covers the bytes [start, stop) of its packet. In one array with the blocks are room for what is put
 * together and for what comes in: within an array bytes are moved without any object.
 *
 *   block      0        1        2        ...
 *   bytes  [  512  ][  512  ][  512  ] ... [ put together ][ coming in ]
 *   used   [ u16 ] ...                  bytes of the block that are in use
 *   next   [ i32 ] ...                  block that follows in the run, or free block that follows
 *   tail   [ i32 ] ...                  of a first block: the last one
 *   after  [ i32 ] ...                  of a first block: the run that follows in the packet
 */
export class FragmentStore {
  readonly start: Int32Array;
  readonly stop: Int32Array;
  readonly after: Int32Array;
  readonly bytes: Uint8Array;
  /** Where in `bytes` a packet may be put together. */
  readonly outAt: number;
  private readonly inAt: number;
  private readonly used: Uint16Array;
  private readonly next: Int32Array;
  private readonly tail: Int32Array;
  private firstFree: number = NONE;
  /** Blocks from here on have never been used. */
  private fresh = 0;
  private freeBlocks: number;

  /** @param memoryBytes bytes of payload that it can hold at most */
  constructor(memoryBytes: number) {
    const blocks = Math.max(1, Math.floor(memoryBytes / BLOCK_BYTES));
    this.freeBlocks = blocks;
    this.outAt = blocks * BLOCK_BYTES;
    this.inAt = this.outAt + PACKET_BYTES;
    this.bytes = new Uint8Array(this.inAt + PACKET_BYTES);
    this.used = new Uint16Array(blocks);
    this.next = new Int32Array(blocks);
    this.tail = new Int32Array(blocks);
    this.after = new Int32Array(blocks);
    this.start = new Int32Array(blocks);
    this.stop = new Int32Array(blocks);
  }

  /** Whether two runs of so many bytes can be added. */
  hasRoom(length: number, other: number): boolean {
    return this.freeBlocks >= Math.ceil(length / BLOCK_BYTES) + Math.ceil(other / BLOCK_BYTES);
  }

  /** Makes a run that covers [start, start + length), length above 0; there must be room. @returns its name */
  add(b: Uint8Array, at: number, length: number, start: number): number {
    const first = this.take();
    this.start[first] = start;
    this.stop[first] = start;
    this.tail[first] = first;
    this.after[first] = NONE;
    this.append(first, b, at, length);
    return first;
  }

  /** Makes a run longer; there must be room. */
  append(run: number, b: Uint8Array, at: number, length: number): void {
    const { bytes, inAt } = this;
    bytes.set(b.subarray(at, at + length), inAt);
    let block = this.tail[run]!;
    for (let done = 0; done < length; ) {
      if (this.used[block] === BLOCK_BYTES) {
        const added = this.take();
        this.next[block] = added;
        block = added;
      }
      const held = this.used[block]!;
      const size = Math.min(BLOCK_BYTES - held, length - done);
      const to = block * BLOCK_BYTES + held;
      bytes.copyWithin(to, inAt + done, inAt + done + size);
      this.used[block] = held + size;
      done += size;
    }
    this.tail[run] = block;
    this.stop[run]! += length;
  }

  /** Copies the first `length` bytes of a run to `to` in `bytes`. */
  copy(run: number, to: number, length: number): void {
    let block = run;
    for (let done = 0; done < length; ) {
      const size = Math.min(this.used[block]!, length - done);
      const from = block * BLOCK_BYTES;
      this.bytes.copyWithin(to + done, from, from + size);
      done += size;
      block = this.next[block]!;
    }
  }

  /** Frees a run and those after it; -1 is none. */
  free(run: number): void {
    for (let each = run; each !== NONE; ) {
      const following = this.after[each]!;
      for (let block = each; block !== NONE; ) {
        const next = this.next[block]!;
        this.next[block] = this.firstFree;
        this.firstFree = block;
        this.freeBlocks++;
        block = next;
      }
      each = following;
    }
  }

  private take(): number {
    let block = this.firstFree;
    if (block !== NONE) this.firstFree = this.next[block]!;
    else block = this.fresh++;
    this.freeBlocks--;
    this.next[block] = NONE;
    this.used[block] = 0;
    return block;
  }
}
