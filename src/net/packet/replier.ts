import { METHOD } from '../../core/config.ts';
import { CONN_FLAG } from '../../core/conn-flags.ts';
import type { Director } from '../../core/director.ts';
import type { ConnId } from '../../core/flow.ts';
import { HOOK } from '../../core/verdict.ts';
import { translateErrorToClient } from '../../forwarders/icmp-translate.ts';
import { translateSource } from '../../forwarders/translate.ts';
import { setTtl, ttlOf } from '../../forwarders/ttl.ts';
import { vnetNeedsChecksum } from '../../forwarders/vnet-header.ts';
import type { Locality } from './locality.ts';
import type { PacketCounters } from './packet-counters.ts';
import type { PacketInHand } from './packet-in-hand.ts';

export interface ReplierParts {
  readonly director: Director;
  readonly locality: Locality;
  readonly counters: PacketCounters;
}

/** Sends packets on that go to clients, or are none of IPVS's: all of them go back to the host's own routing. */
export class Replier {
  private readonly parts: ReplierParts;

  constructor(parts: ReplierParts) {
    this.parts = parts;
  }

  /** A packet of a server. @returns bytes to write back to the device */
  reply(packet: PacketInHand, id: ConnId): number {
    const { conns } = this.parts.director.life;
    this.parts.counters.packets_to_clients++;
    if (this.isMasqueraded(id)) {
      const isPartial = vnetNeedsChecksum(packet.bytes, packet.at);
      translateSource(packet.view, conns.vaddr(id), conns.vport(id), isPartial);
    }
    return this.on(packet);
  }

  /** An ICMP error from a server's side. */
  replyError(packet: PacketInHand, id: ConnId): number {
    const { conns } = this.parts.director.life;
    this.parts.counters.packets_to_clients++;
    if (this.isMasqueraded(id)) translateErrorToClient(packet.view, conns.vaddr(id), conns.vport(id));
    return this.on(packet);
  }

  /** A packet that is not IPVS's. */
  pass(packet: PacketInHand): number {
    this.parts.counters.packets_passed++;
    return this.on(packet);
  }

  /** The host takes one from the TTL of what it forwards: for its own packets that was not so before. */
  private on(packet: PacketInHand): number {
    const { bytes, at, hook, view } = packet;
    if (hook === HOOK.LOCAL_OUT && !this.parts.locality.isOwn(view.dst))
      setTtl(bytes, at, Math.min(255, ttlOf(bytes, at) + 1));
    return packet.length;
  }

  private isMasqueraded(id: ConnId): boolean {
    const { conns } = this.parts.director.life;
    return (conns.flags(id) & CONN_FLAG.METHOD_MASK) === METHOD.MASQ;
  }
}
