const REPLACEMENT = 0xfffd;
/** UTF-16 units that become a string at once: arguments live on the stack. */
const CHUNK = 1024;

/** @returns the text as UTF-8; a lone surrogate becomes U+FFFD. */
export function encodeUtf8(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 3);
  let at = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) {
      bytes[at++] = unit;
      continue;
    }
    let point = text.codePointAt(i)!;
    if (point > 0xffff) i++;
    else if (point >= 0xd800 && point < 0xe000) point = REPLACEMENT;
    at = putPoint(bytes, at, point);
  }
  return bytes.subarray(0, at);
}

/** @returns the text; what is not UTF-8 becomes U+FFFD. */
export function decodeUtf8(bytes: Uint8Array): string {
  const units = new Array<number>(Math.min(bytes.length, CHUNK)).fill(0);
  let text = '';
  let count = 0;
  for (let at = 0; at < bytes.length; ) {
    const byte = bytes[at]!;
    if (byte < 0x80) {
      units[count++] = byte;
      at++;
    } else {
      const length = sequenceLength(bytes, at);
      const point = length === 0 ? REPLACEMENT : pointAt(bytes, at, length);
      count = putUnits(units, count, point);
      at += length || 1;
    }
    if (count >= CHUNK) {
      text += String.fromCharCode.apply(null, units);
      units.length = CHUNK;
      count = 0;
    }
  }
  units.length = count;
  return text + String.fromCharCode.apply(null, units);
}

/** Appends a code point as UTF-16. @returns the new count */
function putUnits(units: number[], count: number, point: number): number {
  if (point < 0x10000) {
    units[count] = point;
    return count + 1;
  }
  units[count] = 0xd7c0 + (point >> 10);
  units[count + 1] = 0xdc00 | (point & 0x3ff);
  return count + 2;
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
