import type { ReassemblyDrop } from '../../src/core/reassembly.ts';
import type { Piece } from '../support/core-fragments.ts';

interface Run {
  readonly start: number;
  readonly bytes: number[];
}

interface Waiting {
  runs: Run[];
  /** Where the last run or fragment ends, and whether that is the packet's end. */
  end: number;
  hasEnd: boolean;
  codePoints: Set<number>;
}

/** Reasons with which an IPv6 packet is given up; with the others only the fragment goes. */
const FATAL_IN_IPV6: readonly string[] = ['overlap', 'mixed_ecn'];

/** Puts fragments together in the most obvious way, of one packet for each version and identification. */
export class SlowReassembler {
  private readonly packets = new Map<string, Waiting>();

  /** @returns the whole payload, `kept`, or why the fragment was dropped */
  accept(piece: Piece): number[] | 'kept' | ReassemblyDrop {
    const key = `${piece.version} ${piece.id ?? 1}`;
    const packet = this.packets.get(key) ?? { runs: [], end: 0, hasEnd: false, codePoints: new Set() };
    this.packets.set(key, packet);
    const fault = put(packet, piece);
    if (fault) {
      const isFatal = piece.version === 6 ? FATAL_IN_IPV6.includes(fault) : fault !== 'duplicate';
      if (isFatal) this.packets.delete(key);
      return fault;
    }
    const payload = packet.runs.flatMap(({ bytes }) => bytes);
    if (!packet.hasEnd || payload.length < packet.end) return 'kept';
    this.packets.delete(key);
    return isMixed(packet.codePoints) ? 'mixed_ecn' : payload;
  }
}

function put(
  packet: Waiting,
  { version, start, isMore, payload, ecn = 0 }: Piece,
): ReassemblyDrop | undefined {
  const odd = isMore ? payload.length % 8 : 0;
  if (version === 6 && (odd !== 0 || payload.length === 0)) return 'bad_length';
  const bytes = [...payload.subarray(0, payload.length - odd)];
  if (bytes.length === 0) return 'bad_length';
  const stop = start + bytes.length;
  if (
    isMore ? packet.hasEnd && stop > packet.end : stop < packet.end || (packet.hasEnd && stop !== packet.end)
  )
    return 'two_ends';
  packet.end = Math.max(packet.end, stop);
  if (!isMore) packet.hasEnd = true;
  const stopOf = (run: Run): number => run.start + run.bytes.length;
  const hit = packet.runs.find((run) => start < stopOf(run) && stop > run.start);
  if (hit) return start >= hit.start && stop <= stopOf(hit) ? 'duplicate' : 'overlap';
  packet.codePoints.add(ecn);
  const last = packet.runs.at(-1);
  if (last && stopOf(last) === start) last.bytes.push(...bytes);
  else packet.runs = [...packet.runs, { start, bytes }].sort((a, b) => a.start - b.start);
  return undefined;
}

const isMixed = (codePoints: ReadonlySet<number>): boolean => codePoints.has(0) && codePoints.size > 1;
