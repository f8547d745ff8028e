import {
  REASSEMBLY,
  REASSEMBLY_DROPS,
  Reassembler,
  type ReassemblerOptions,
} from '../../src/core/reassembly.ts';
import { type Piece, pieceOf } from '../support/core-fragments.ts';

const { WHOLE, KEPT } = REASSEMBLY;

/** Bytes `start` on of an endless payload. */
export const payloadBytes = (length: number, start = 0): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (start + i) * 7 + 3);

/** A reassembler, and what tests ask of it. */
export class ReassemblyLab {
  readonly reassembler: Reassembler;

  constructor(options: Partial<ReassemblerOptions> = {}) {
    this.reassembler = new Reassembler({ seed: 7, memoryBytes: 256 * 1024, ...options });
  }

  readonly accept = (piece: Piece, now = 0): number => {
    const b = pieceOf(piece);
    return this.reassembler.accept(b, 0, b.length, now);
  };

  whole(): Uint8Array {
    const { bytes, at, length } = this.reassembler;
    return bytes.slice(at, at + length);
  }

  /** As the twin says it. */
  outcome(piece: Piece): number[] | string {
    const before = this.reassembler.drops();
    const answer = this.accept(piece);
    if (answer === WHOLE) return [...this.whole().subarray(piece.version === 4 ? 20 : 40)];
    if (answer === KEPT) return 'kept';
    const after = this.reassembler.drops();
    return REASSEMBLY_DROPS.find((reason) => after[reason] > before[reason]) ?? 'uncounted';
  }
}
