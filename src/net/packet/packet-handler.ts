import type { Director } from '../../core/director.ts';
import { READING } from '../../core/packet-view.ts';
import { REASSEMBLY, type Reassembler } from '../../core/reassembly.ts';
import { VERDICT, type Verdict } from '../../core/verdict.ts';
import type { Answerer } from './answerer.ts';
import type { Locality } from './locality.ts';
import type { PacketCounters } from './packet-counters.ts';
import { PacketInHand } from './packet-in-hand.ts';
import type { Replier } from './replier.ts';
import type { PacketTracer } from './tracer.ts';
import type { Transmitter } from './transmitter.ts';
import type { WholeOutput } from './whole-output.ts';

export interface PacketHandlerParts {
  readonly director: Director;
  readonly locality: Locality;
  readonly transmitter: Transmitter;
  readonly replier: Replier;
  readonly answerer: Answerer;
  readonly reassembler: Reassembler;
  /** Writes what was put together from fragments. */
  readonly wholeOutput: WholeOutput;
  readonly counters: PacketCounters;
  /** `undefined` if packets are not recorded. */
  readonly tracer: PacketTracer | undefined;
}

/** Asks the core about each packet and carries its verdict out. */
export class PacketHandler {
  private readonly parts: PacketHandlerParts;
  private readonly inHand = new PacketInHand();

  constructor(parts: PacketHandlerParts) {
    this.parts = parts;
  }

  /**
   * @param at where the IP header starts; the virtio header and headroom stand before it
   * @param fwmark of the packet, 0 for none
   * @param now ms of the core's clock
   * @returns how many bytes are to be written back from `at` on, 0 for none
   */
  packet(bytes: Uint8Array, at: number, length: number, fwmark: number, now: number): number {
    const packet = this.inHand;
    packet.bytes = bytes;
    packet.at = at;
    packet.length = length;
    const { counters } = this.parts;
    counters.packets_in++;
    counters.bytes_in += length;
    return this.handle(packet, fwmark, now);
  }

  private handle(packet: PacketInHand, fwmark: number, now: number): number {
    const { director, locality, counters, tracer } = this.parts;
    const { view, bytes, at, length } = packet;
    if (view.read(bytes, at, at + length, false) === READING.MALFORMED) {
      counters.dropped_malformed++;
      return 0;
    }
    packet.hook = locality.hookOf(view.src, view.dst, fwmark !== 0);
    const verdict = director.packet(bytes, at, length, packet.hook, fwmark, now);
    tracer?.before(packet, verdict);
    const left = this.carryOut(packet, verdict, fwmark, now);
    if (left > 0) tracer?.after(bytes, at, left);
    return left;
  }

  private carryOut(packet: PacketInHand, verdict: Verdict, fwmark: number, now: number): number {
    const { director, transmitter, replier, answerer } = this.parts;
    const id = director.packetConn;
    switch (verdict) {
      case VERDICT.TRANSMIT:
        return transmitter.transmit(packet, id);
      case VERDICT.REPLY:
        return replier.reply(packet, id);
      case VERDICT.PASS:
        return answerer.relayTunnelError(packet) ? 0 : replier.pass(packet);
      case VERDICT.TRANSMIT_ICMP:
        return transmitter.transmitError(packet, id);
      case VERDICT.REPLY_ICMP:
        return replier.replyError(packet, id);
      case VERDICT.REJECT:
        answerer.portUnreachable(packet);
        return 0;
      case VERDICT.REASSEMBLE:
        this.reassemble(packet, fwmark, now);
        return 0;
      default:
        return 0;
    }
  }

  private reassemble(packet: PacketInHand, fwmark: number, now: number): void {
    const { reassembler, wholeOutput } = this.parts;
    if (reassembler.accept(packet.bytes, packet.at, packet.length, now) !== REASSEMBLY.WHOLE) return;
    const whole = wholeOutput.take(reassembler);
    const left = this.handle(whole, fwmark, now);
    if (left > 0) wholeOutput.write(left);
  }
}
