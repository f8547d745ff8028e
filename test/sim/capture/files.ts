/** A captured frame; seconds as `[whole, nanoseconds]`. */
export interface Frame {
  readonly time: readonly [number, number];
  readonly bytes: Uint8Array;
}

export interface PcapForm {
  readonly isLittle: boolean;
  readonly isNano: boolean;
  readonly link: number;
}

/** Frames as a classic capture file. */
export function pcapOf(frames: readonly Frame[], { isLittle, isNano, link }: PcapForm): Uint8Array {
  const header = words(isLittle, [isNano ? 0xa1b23c4d : 0xa1b2c3d4, 0, 0, 0, 65535, link]);
  halves(header, 4, isLittle, [2, 4]);
  return joined([
    header,
    ...frames.flatMap(({ time: [seconds, ns], bytes }) => {
      const fraction = isNano ? ns : Math.floor(ns / 1000);
      return [words(isLittle, [seconds, fraction, bytes.length, bytes.length]), bytes];
    }),
  ]);
}

/** One section with one interface, as pcapng; `resolution` as in if_tsresol, absent for microseconds. */
export function pcapngOf(
  frames: readonly Frame[],
  isLittle: boolean,
  link: number,
  resolution?: number,
): Uint8Array {
  const section = words(isLittle, [0x1a2b3c4d, 0, 0xffffffff, 0xffffffff]);
  halves(section, 4, isLittle, [1, 0]);
  const options =
    resolution === undefined ? [] : [resolutionOption(isLittle, resolution), words(isLittle, [0])];
  const interfaceHead = words(isLittle, [0, 0]);
  halves(interfaceHead, 0, isLittle, [link, 0]);
  const perSecond = resolution === undefined ? 10n ** 6n : units(resolution);
  return joined([
    blockOf(isLittle, 0x0a0d0d0a, section),
    blockOf(isLittle, 1, joined([interfaceHead, ...options])),
    blockOf(isLittle, 0x0bad, words(isLittle, [1, 2, 3])),
    ...frames.map(({ time: [seconds, ns], bytes }) => {
      const time = BigInt(seconds) * perSecond + (BigInt(ns) * perSecond) / 10n ** 9n;
      const head = words(isLittle, [
        0,
        Number(time >> 32n),
        Number(time & 0xffffffffn),
        bytes.length,
        bytes.length,
      ]);
      return blockOf(isLittle, 6, joined([head, bytes]));
    }),
  ]);
}

/** @param body is padded to 32 bits */
export function blockOf(isLittle: boolean, type: number, body: Uint8Array): Uint8Array {
  const padded = new Uint8Array(Math.ceil(body.length / 4) * 4);
  padded.set(body);
  const length = padded.length + 12;
  return joined([words(isLittle, [type, length]), padded, words(isLittle, [length])]);
}

export function words(isLittle: boolean, values: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.length * 4));
  for (const [i, value] of values.entries()) view.setUint32(i * 4, value, isLittle);
  return new Uint8Array(view.buffer);
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function halves(bytes: Uint8Array, at: number, isLittle: boolean, values: readonly number[]): void {
  const view = new DataView(bytes.buffer);
  for (const [i, value] of values.entries()) view.setUint16(at + i * 2, value, isLittle);
}

function resolutionOption(isLittle: boolean, resolution: number): Uint8Array {
  const option = new Uint8Array(8);
  halves(option, 0, isLittle, [9, 1]);
  option[4] = resolution;
  return option;
}

const units = (resolution: number): bigint => (resolution & 0x80 ? 2n : 10n) ** BigInt(resolution & 0x7f);
