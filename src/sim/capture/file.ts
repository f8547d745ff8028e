/** What is wrong with a capture file. */
export class CaptureError extends Error {
  override readonly name = 'CaptureError';

  /** @param offset where in the file, bytes */
  constructor(offset: number, reason: string) {
    super(`at byte ${offset}: ${reason}`);
  }
}

/**
 * Called for each packet, in the order of the file.
 * @param second since 1970
 * @param ms within the second
 * @param link number of the link type
 * @param at where its bytes begin
 * @param end where those that were kept end
 */
export type PacketVisitor = (second: number, ms: number, link: number, at: number, end: number) => void;

/** Numbers of a file in its own byte order, which never reach beyond its end. */
export class CaptureBytes {
  readonly length: number;
  private readonly view: DataView;
  private readonly isLittle: boolean;

  constructor(bytes: Uint8Array, isLittle: boolean) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.length = bytes.byteLength;
    this.isLittle = isLittle;
  }

  /** @throws CaptureError unless `count` bytes are there */
  need(at: number, count: number, what: string): void {
    const left = this.length - at;
    if (count > left) throw new CaptureError(at, `${what} has ${count} bytes; ${left} are left`);
  }

  u8(at: number): number {
    return this.view.getUint8(at);
  }

  u16(at: number): number {
    return this.view.getUint16(at, this.isLittle);
  }

  u32(at: number): number {
    return this.view.getUint32(at, this.isLittle);
  }

  u64(at: number): bigint {
    return this.view.getBigUint64(at, this.isLittle);
  }
}
