/** A stream of bytes that both ends can make: block after block, each stamped with its number. */
const BLOCK_BYTES = 1 << 16;

export class ByteStream {
  private readonly block = Buffer.alloc(BLOCK_BYTES);
  private number = 0;
  private at = BLOCK_BYTES;

  constructor() {
    let state = 0x12345678;
    for (let i = 0; i < BLOCK_BYTES; i += 4) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      this.block.writeInt32LE(state | 0, i);
    }
  }

  /** @returns the next block; valid until the next call */
  nextBlock(): Buffer {
    this.block.writeUInt32LE(this.number++, 0);
    return this.block;
  }

  /** Takes the stream's next bytes off. @returns whether `bytes` are they */
  matches(bytes: Buffer): boolean {
    for (let from = 0; from < bytes.length; ) {
      if (this.at === BLOCK_BYTES) {
        this.nextBlock();
        this.at = 0;
      }
      const length = Math.min(bytes.length - from, BLOCK_BYTES - this.at);
      if (this.block.compare(bytes, from, from + length, this.at, this.at + length) !== 0) return false;
      from += length;
      this.at += length;
    }
    return true;
  }
}
