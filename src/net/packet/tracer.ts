import type { Director } from '../../core/director.ts';
import type { Verdict } from '../../core/verdict.ts';
import type { PacketInHand } from './packet-in-hand.ts';
import { describeDecision } from './trace/decision.ts';
import { type PacketTrace, wallClockNs } from './trace/packet-trace.ts';

/** Records packets as they came and as they left, with what the director decided about them. */
export class PacketTracer {
  private readonly director: Director;
  private readonly trace: PacketTrace;
  private comment = '';

  constructor(director: Director, trace: PacketTrace) {
    this.director = director;
    this.trace = trace;
  }

  before({ bytes, at, length }: PacketInHand, verdict: Verdict): void {
    this.comment = '';
    const comment = (): string => {
      this.comment = describeDecision(this.director, verdict, this.director.packetConn);
      return this.comment;
    };
    this.trace.record(bytes, at, length, 'in', comment, wallClockNs());
  }

  after(bytes: Uint8Array, at: number, length: number): void {
    this.trace.record(bytes, at, length, 'out', () => this.comment, wallClockNs());
  }

  batchEnd(): void {
    this.trace.flush();
  }

  close(): void {
    this.trace.close();
  }
}
