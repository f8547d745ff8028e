/** Bytes of the length, u32 little-endian, that stands before each datagram. */
const PREFIX_LEN = 4;
/** The smallest datagram: one netlink message header. */
const MIN_DATAGRAM = 16;
/** Requests are small; a longer one is an error of the client. */
export const MAX_REQUEST_BYTES = 1 << 20;

/** A stream that cannot be understood from here on; the connection has to be closed. */
export class FramingError extends Error {
  override readonly name = 'FramingError';
}

/** Puts the length before a datagram. */
export function frame(datagram: Uint8Array): Uint8Array {
  const framed = new Uint8Array(PREFIX_LEN + datagram.length);
  new DataView(framed.buffer).setUint32(0, datagram.length, true);
  framed.set(datagram, PREFIX_LEN);
  return framed;
}

/** Cuts a byte stream, in whatever pieces it comes, into datagrams. */
export class Deframer {
  private readonly maxBytes: number;
  private readonly prefix = new Uint8Array(PREFIX_LEN);
  private prefixFill = 0;
  private body: Uint8Array | undefined;
  private bodyFill = 0;

  /** @param maxBytes the longest datagram that is accepted. */
  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** True between datagrams: the stream may end here. */
  get idle(): boolean {
    return this.prefixFill === 0;
  }

  /**
   * Yields the datagrams that `chunk` completes; to be read to its end before the next push.
   * @throws FramingError when it meets an impossible length.
   */
  *push(chunk: Uint8Array): Generator<Uint8Array, void> {
    let at = 0;
    while (at < chunk.length) {
      at += this.body ? this.fillBody(this.body, chunk, at) : this.fillPrefix(chunk, at);
      if (this.body && this.bodyFill === this.body.length) {
        const datagram = this.body;
        this.body = undefined;
        this.prefixFill = 0;
        yield datagram;
      }
    }
  }

  private fillPrefix(chunk: Uint8Array, at: number): number {
    const taken = Math.min(PREFIX_LEN - this.prefixFill, chunk.length - at);
    this.prefix.set(chunk.subarray(at, at + taken), this.prefixFill);
    this.prefixFill += taken;
    if (this.prefixFill === PREFIX_LEN) {
      const length = new DataView(this.prefix.buffer).getUint32(0, true);
      if (length < MIN_DATAGRAM || length > this.maxBytes) {
        throw new FramingError(`impossible datagram length ${length}`);
      }
      this.body = new Uint8Array(length);
      this.bodyFill = 0;
    }
    return taken;
  }

  private fillBody(body: Uint8Array, chunk: Uint8Array, at: number): number {
    const taken = Math.min(body.length - this.bodyFill, chunk.length - at);
    body.set(chunk.subarray(at, at + taken), this.bodyFill);
    this.bodyFill += taken;
    return taken;
  }
}
