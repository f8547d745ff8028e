import type { Address } from '../../core/address.ts';
import type { Director } from '../../core/director.ts';
import { HOOK } from '../../core/verdict.ts';
import {
  hostUnreachable,
  type IcmpError,
  packetTooBig,
  portUnreachable,
  timeExceeded,
  writeIcmpError,
} from '../../forwarders/icmp-error.ts';
import { setTtl } from '../../forwarders/ttl.ts';
import { TunnelError } from '../../forwarders/tunnel-error.ts';
import { VNET_HEADER_LEN } from '../../forwarders/vnet-header.ts';
import type { Routes } from './host-state/routes.ts';
import type { Locality } from './locality.ts';
import type { PacketCounters } from './packet-counters.ts';
import type { PacketInHand } from './packet-in-hand.ts';

/** As Linux sends its own packets. */
const DEFAULT_TTL = 64;
const LARGEST_ANSWER = 1280;

export interface AnswererParts {
  readonly director: Director;
  readonly routes: Routes;
  readonly locality: Locality;
  readonly counters: PacketCounters;
  readonly now: () => number;
  /** Sends a packet by the host's routing; its virtio header stands before it. */
  readonly send: (bytes: Uint8Array, at: number, length: number) => void;
}

/** Tells senders by ICMP why their packets go no further. */
export class Answerer {
  private readonly parts: AnswererParts;
  private readonly answer = new Uint8Array(VNET_HEADER_LEN + LARGEST_ANSWER);
  private readonly tunnelError = new TunnelError();
  private id = 0;

  constructor(parts: AnswererParts) {
    this.parts = parts;
  }

  portUnreachable(packet: PacketInHand): void {
    this.send(packet, portUnreachable(packet.view.isV6));
  }

  hostUnreachable(packet: PacketInHand): void {
    this.send(packet, hostUnreachable(packet.view.isV6));
  }

  timeExceeded(packet: PacketInHand): void {
    this.send(packet, timeExceeded(packet.view.isV6));
  }

  /** @param mtu bytes of the largest packet that may come */
  tooBig(packet: PacketInHand, mtu: number): void {
    this.send(packet, packetTooBig(packet.view.isV6, mtu));
  }

  /**
   * Tells the client of an error that a packet of ours met on its way through a tunnel.
   * @returns false if the packet is no such error
   */
  relayTunnelError(packet: PacketInHand): boolean {
    const { director, routes } = this.parts;
    const { tunnelError: error } = this;
    if (packet.hook !== HOOK.LOCAL_IN || !error.read(packet.view)) return false;
    const { inner } = error;
    if (!director.countTunnelError(inner, error.server)) return false;
    const { mtu } = routes.find(error.server);
    const pathMtu = error.reportedMtu > 0 ? Math.min(mtu, error.reportedMtu) : mtu;
    this.id = (this.id + 1) & 0xffff;
    const length = error.writeAnswer(this.answer, VNET_HEADER_LEN, pathMtu, DEFAULT_TTL, this.id);
    this.output(length, inner.src);
    return true;
  }

  private send(packet: PacketInHand, error: IcmpError): void {
    const source = this.sourceFor(packet);
    if (source === undefined) return;
    this.id = (this.id + 1) & 0xffff;
    const sender = { source, ttl: DEFAULT_TTL, id: this.id };
    this.output(writeIcmpError(this.answer, VNET_HEADER_LEN, packet.view, error, sender), packet.view.src);
  }

  /** Answers leave as the host's own packets do, and count where they are about an entry's packets. */
  private output(length: number, to: Address): void {
    const { director, locality, counters, now } = this.parts;
    if (length === 0) return;
    const { answer } = this;
    const at = VNET_HEADER_LEN;
    director.packet(answer, at, length, HOOK.LOCAL_OUT, 0, now());
    if (!locality.isOwn(to)) setTtl(answer, at, DEFAULT_TTL + 1);
    answer.fill(0, 0, at);
    counters.icmp_errors_sent++;
    this.parts.send(answer, at, length);
  }

  /**
   * The address that the packet was sent to if it is ours. One that only goes through the host is answered from the address
   * that its sender sees of us; one that ends here by its mark alone has no address to be answered from, as in a kernel.
   */
  private sourceFor({ view, hook }: PacketInHand): Address | undefined {
    const { locality, routes } = this.parts;
    if (locality.isOwn(view.dst) || locality.virtual.has(view.dst)) {
      const { family, words } = view.dst;
      return { family, words: [words[0], words[1], words[2], words[3]] };
    }
    return hook === HOOK.FORWARD ? routes.find(view.src).source : undefined;
  }
}
