const REPLACEMENT = 0xfffd;
/** Code points that are joined to a string at once: spread arguments live on the stack. */
const CHUNK = 4096;

/** @returns the text as UTF-8; a lone surrogate becomes U+FFFD. */
export function encodeUtf8(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 3);
  let at = 0;
  for (let i = 0; i < text.length; i++) {
    let point = text.codePointAt(i)!;
    if (point > 0xffff) i++;
    else if (point >= 0xd800 && point < 0xe000) point = REPLACEMENT;
    at = putPoint(bytes, at, point);
  }
  return bytes.subarray(0, at);
}

/** @returns the text; what is not UTF-8 becomes U+FFFD. */
export function decodeUtf8(bytes: Uint8Array): string {
  let text = '';
  let points: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes, at);
    points.push(length === 0 ? REPLACEMENT : pointAt(bytes, at, length));
    at += length || 1;
    if (points.length === CHUNK) {
      text += String.fromCodePoint(...points);
      points = [];
    }
  }
  return text + String.fromCodePoint(...points);
}

function putPoint(bytes: Uint8Array, start: number, point: number): number {
  let at = start;
  if (point < 0x80) {
    bytes[at++] = point;
    return at;
  }
  if (point < 0x800) {
    bytes[at++] = 0xc0 | (point >> 6);
  } else {
    if (point < 0x10000) {
      bytes[at++] = 0xe0 | (point >> 12);
    } else {
      bytes[at++] = 0xf0 | (point >> 18);
      bytes[at++] = 0x80 | ((point >> 12) & 63);
    }
    bytes[at++] = 0x80 | ((point >> 6) & 63);
  }
  bytes[at++] = 0x80 | (point & 63);
  return at;
}

/** @returns the bytes of the sequence at `at`, or 0 if it is malformed, overlong or no Unicode scalar value. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const length = announcedLength(bytes[at]!);
  for (let i = 1; i < length; i++) if (((bytes[at + i] ?? 0) & 0xc0) !== 0x80) return 0;
  if (length < 3) return length;
  const point = pointAt(bytes, at, length);
  const isSurrogate = point >= 0xd800 && point < 0xe000;
  return isSurrogate || point > 0x10ffff || point < (length === 3 ? 0x800 : 0x10000) ? 0 : length;
}

/** @returns how many bytes a first byte says there are, 0 if no sequence starts so. */
function announcedLength(lead: number): number {
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  if (lead < 0xe0) return 2;
  return lead < 0xf0 ? 3 : 4;
}

function pointAt(bytes: Uint8Array, at: number, length: number): number {
  let point = length === 1 ? bytes[at]! : bytes[at]! & (0x7f >> length);
  for (let i = 1; i < length; i++) point = (point << 6) | (bytes[at + i]! & 63);
  return point;
}
