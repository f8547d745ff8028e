import type { Address } from '../../core/address.ts';
import { PacketView } from '../../core/packet-view.ts';
import { fragment } from '../../core/wire/fragment.ts';
import { completeChecksum } from '../../forwarders/complete.ts';
import { encapsulate, MAX_TUNNEL_OVERHEAD } from '../../forwarders/encapsulate.ts';
import { SuperPacket } from '../../forwarders/segment.ts';
import { leavesChecksum, type Tunnel } from '../../forwarders/tunnel.ts';
import { VNET_GSO, vnetGsoSize, vnetGsoType, vnetNeedsChecksum } from '../../forwarders/vnet-header.ts';
import type { PacketCounters } from './packet-counters.ts';
import type { PacketInHand } from './packet-in-hand.ts';
import type { RawSender } from './raw-sender.ts';
import type { PacketTracer } from './tracer.ts';

/** Room for a segment with the headers of a tunnel before it. */
const SEGMENT_BYTES = MAX_TUNNEL_OVERHEAD + 65_575;

export interface DirectOutputParts {
  readonly raw: RawSender;
  readonly counters: PacketCounters;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** `undefined` if packets are not recorded. */
  readonly tracer: PacketTracer | undefined;
}

/**
 * Hands packets to a server past their own destination address: they are finished here, since what takes them neither
 * cuts super-packets nor makes checksums.
 */
export class DirectOutput {
  private readonly parts: DirectOutputParts;
  private readonly piece = new PacketView();
  private readonly superPacket = new SuperPacket();
  private readonly buffer = new Uint8Array(SEGMENT_BYTES);
  /** What the pieces of the packet in hand are sent with. */
  private server: Address | undefined;
  private tunnelled: Tunnel | undefined;
  private mtu = 0;
  private copiesDf = false;

  constructor(parts: DirectOutputParts) {
    this.parts = parts;
  }

  /**
   * As it is. What came in fragments leaves in such that are not larger.
   * @param mtu of the route to the server; packets without DF are cut to it
   */
  direct(packet: PacketInHand, server: Address, mtu: number): void {
    this.server = server;
    this.tunnelled = undefined;
    this.mtu = limit(packet, mtu);
    this.output(packet);
  }

  /** @param copiesDf see encapsulate */
  tunnel(packet: PacketInHand, tunnel: Tunnel, mtu: number, copiesDf: boolean): void {
    this.server = tunnel.server;
    this.tunnelled = tunnel;
    this.mtu = limit(packet, mtu);
    this.copiesDf = copiesDf;
    this.output(packet);
  }

  private output({ bytes, at, length, view }: PacketInHand): void {
    const type = vnetGsoType(bytes, at);
    if (type === VNET_GSO.NONE) {
      this.one(bytes, at, length, vnetNeedsChecksum(bytes, at));
      return;
    }
    const { superPacket, buffer } = this;
    const leaves = this.tunnelled !== undefined && leavesChecksum(this.tunnelled, true);
    const count = superPacket.load(view, type, vnetGsoSize(bytes, at));
    if (count === 0) this.parts.counters.dropped_malformed++;
    for (let i = 0; i < count; i++) {
      const size = superPacket.write(i, buffer, MAX_TUNNEL_OVERHEAD, leaves);
      this.one(buffer, MAX_TUNNEL_OVERHEAD, size, leaves);
    }
  }

  /** Sends one packet of the size it has on the wire. */
  private one(bytes: Uint8Array, at: number, length: number, isPartial: boolean): void {
    if (this.tunnelled === undefined) {
      if (isPartial) completeChecksum(bytes, at, length);
      this.cut(bytes, at, length);
      return;
    }
    const { piece } = this;
    piece.read(bytes, at, at + length, false);
    const id = this.randomId();
    const outer = encapsulate(piece, this.tunnelled, id & 0xffff, this.copiesDf, isPartial);
    if (outer < 0) this.parts.counters.dropped_too_big++;
    else this.cut(bytes, outer, at + length - outer);
  }

  /** What is too long here is not to be refused: that was decided before. */
  private cut(bytes: Uint8Array, at: number, length: number): void {
    if (length <= this.mtu) this.send(bytes, at, length);
    else if (fragment(bytes, at, length, this.mtu, this.randomId(), true, this.send) < 0)
      this.parts.counters.dropped_too_big++;
  }

  private readonly send = (bytes: Uint8Array, at: number, length: number): void => {
    this.parts.tracer?.after(bytes, at, length);
    if (this.parts.raw.send(this.server!, bytes, at, length) < 0) this.parts.counters.dropped_output++;
  };

  private randomId(): number {
    return Math.floor(this.parts.random() * 0x100000000);
  }
}

const limit = ({ maxFragmentBytes }: PacketInHand, mtu: number): number =>
  maxFragmentBytes > 0 ? Math.min(mtu, maxFragmentBytes) : mtu;
