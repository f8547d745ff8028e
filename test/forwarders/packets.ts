import { PacketView, READING } from '../../src/core/packet-view.ts';
import { setU16, u16 } from '../../src/core/wire/bytes.ts';

/** Bytes before and behind a packet under test: nothing may write behind it, and only tunnels before it. */
export const MARGIN = 96;
const CANARY = 0xa5;

export const hex = (text: string): Uint8Array =>
  Uint8Array.from(text.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));

/** The start of a packet as it was recorded, and the letter `a` up to its length. */
export function filled(start: string, length: number): Uint8Array {
  const b = new Uint8Array(length).fill(0x61);
  b.set(hex(start));
  return b;
}

export interface Framed {
  /** The packet with margins. */
  readonly bytes: Uint8Array;
  readonly view: PacketView;
  /** The packet as it stands. */
  readonly packet: () => Uint8Array;
  /** What stands from `at` to the packet's end. */
  readonly from: (at: number) => Uint8Array;
  /** Whether the margins are as they were. @param before bytes directly before the packet that don't count */
  readonly isContained: (before?: number) => boolean;
}

/** Puts a packet between margins and reads it. */
export function framed(packet: Uint8Array, isQuoted = false): Framed {
  const end = MARGIN + packet.length;
  const bytes = new Uint8Array(end + MARGIN).fill(CANARY);
  bytes.set(packet, MARGIN);
  const view = new PacketView();
  if (view.read(bytes, MARGIN, end, isQuoted) === READING.MALFORMED) throw new Error('malformed packet');
  return {
    bytes,
    view,
    packet: () => bytes.slice(MARGIN, end),
    from: (at) => bytes.slice(at, end),
    isContained: (before = 0) =>
      bytes.every((byte, i) => byte === CANARY || (i >= MARGIN - before && i < end)),
  };
}

/**
 * A packet with all checksums made anew, by a loop that carries around after each addition.
 * A sum of 0 has two forms: UDP has to say 0xffff, for TCP the packet's own one stays.
 */
export function resealed(packet: Uint8Array): Uint8Array {
  const { bytes: b, view, packet: result } = framed(packet);
  if (!view.isV6) {
    setU16(b, view.at + 10, 0);
    setU16(b, view.at + 10, 0xffff - slowSum(b.subarray(view.at, view.transport)));
  }
  const field = view.transport + (view.protocol === 6 ? 16 : 6);
  const zero = view.protocol === 17 || u16(b, field) === 0xffff ? 0xffff : 0;
  setU16(b, field, 0);
  const sum = slowSum([...pseudoHeader(view), ...b.subarray(view.transport, view.end)]);
  setU16(b, field, 0xffff - sum || zero);
  return result();
}

/** A packet as it comes from a device that finishes checksums: its field has the pseudo header's sum only. */
export function unfinished(packet: Uint8Array): Uint8Array {
  const { bytes: b, view, packet: result } = framed(packet);
  setU16(b, view.transport + (view.protocol === 6 ? 16 : 6), slowSum(pseudoHeader(view)));
  return result();
}

export function slowSum(bytes: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) {
    sum += bytes[i]! * 256 + (bytes[i + 1] ?? 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return sum;
}

function pseudoHeader({ bytes: b, at, isV6, protocol, transport, end }: PacketView): number[] {
  const addresses = b.subarray(at + (isV6 ? 8 : 12), at + (isV6 ? 40 : 20));
  const length = end - transport;
  return [...addresses, 0, protocol, length >> 8, length & 255];
}

/** Takes out what a kernel chooses for itself: an IPv6 flow label. */
export function withoutFlowLabel(packet: Uint8Array): Uint8Array {
  const b = packet.slice();
  if (b[0]! >>> 4 === 6) {
    b[1]! &= 0xf0;
    setU16(b, 2, 0);
  }
  return b;
}

export const identification = (packet: Uint8Array): number => u16(packet, 4);
