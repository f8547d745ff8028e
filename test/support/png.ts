import { inflateSync } from 'node:zlib';

const SIGNATURE_LENGTH = 8;
const HEADER_AT = 16;
/** Length, type and checksum of a chunk, bytes. */
const CHUNK_OVERHEAD = 12;
const COLOUR_TYPES: Readonly<Record<number, number>> = { 2: 3, 6: 4 };

/** An image of 8 bits a channel, not interlaced. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** Red, green and blue of a pixel in one number. */
  at(x: number, y: number): number;
}

/** Reads a PNG as browsers write it (RFC 2083). */
export function readPng(bytes: Buffer): Picture {
  const [width, height] = [bytes.readUInt32BE(HEADER_AT), bytes.readUInt32BE(HEADER_AT + 4)];
  const channels = COLOUR_TYPES[bytes[HEADER_AT + 9]!]!;
  const data: Buffer[] = [];
  for (let at = SIGNATURE_LENGTH; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    if (bytes.toString('latin1', at + 4, at + 8) === 'IDAT')
      data.push(bytes.subarray(at + 8, at + 8 + length));
    at += length + CHUNK_OVERHEAD;
  }
  const pixels = unfiltered(inflateSync(Buffer.concat(data)), width * channels, height, channels);
  return { width, height, at: (x, y) => pixels.readUIntBE((y * width + x) * channels, 3) };
}

function unfiltered(raw: Buffer, stride: number, height: number, channels: number): Buffer {
  const out = Buffer.alloc(stride * height);
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (stride + 1)]!;
    for (let i = 0; i < stride; i++) {
      const left = i >= channels ? out[y * stride + i - channels]! : 0;
      const up = y > 0 ? out[(y - 1) * stride + i]! : 0;
      const corner = y > 0 && i >= channels ? out[(y - 1) * stride + i - channels]! : 0;
      const guess = [0, left, up, (left + up) >> 1, nearest(left, up, corner)][filter]!;
      out[y * stride + i] = raw[y * (stride + 1) + 1 + i]! + guess;
    }
  }
  return out;
}

/** Paeth's predictor. */
function nearest(left: number, up: number, corner: number): number {
  const guess = left + up - corner;
  const [byLeft, byUp, byCorner] = [left, up, corner].map((each) => Math.abs(guess - each));
  if (byLeft! <= byUp! && byLeft! <= byCorner!) return left;
  return byUp! <= byCorner! ? up : corner;
}
