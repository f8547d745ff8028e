import { type Address, AF_INET, AF_INET6 } from '../../core/address.ts';
import { METHOD, TUNNEL_TYPE } from '../../core/config.ts';
import { CONN_FLAG } from '../../core/conn-flags.ts';
import type { Destination } from '../../core/destination.ts';
import type { Director } from '../../core/director.ts';
import type { ConnId } from '../../core/flow.ts';
import { HOOK } from '../../core/verdict.ts';
import { translateErrorToServer } from '../../forwarders/icmp-translate.ts';
import { translateDestination } from '../../forwarders/translate.ts';
import { decrementTtl, ttlOf } from '../../forwarders/ttl.ts';
import { type Tunnel, tunnelOverhead } from '../../forwarders/tunnel.ts';
import { vnetNeedsChecksum } from '../../forwarders/vnet-header.ts';
import type { Answerer } from './answerer.ts';
import type { DirectOutput } from './direct-output.ts';
import type { Route, Routes } from './host-state/routes.ts';
import { ROUTE_TYPE } from './host-state/rtnetlink.ts';
import type { PacketCounters } from './packet-counters.ts';
import type { PacketInHand } from './packet-in-hand.ts';
import { hasDf, wireLength } from './wire-length.ts';

/** Smallest MTU that a tunnel may leave. */
const LEAST_MTU = { [AF_INET]: 68, [AF_INET6]: 1280 } as const;

export interface TransmitterParts {
  readonly director: Director;
  readonly routes: Routes;
  readonly answerer: Answerer;
  readonly output: DirectOutput;
  readonly counters: PacketCounters;
}

/** Sends packets to servers by the forwarding method of their entry (ip_vs_xmit.c). */
export class Transmitter {
  private readonly parts: TransmitterParts;

  constructor(parts: TransmitterParts) {
    this.parts = parts;
  }

  /** A packet of a client. @returns bytes to write back to the device, 0 for none */
  transmit(packet: PacketInHand, id: ConnId): number {
    const { director, counters } = this.parts;
    const { conns } = director.life;
    const dest = director.life.destOf(id);
    counters.packets_to_servers++;
    switch (conns.flags(id) & CONN_FLAG.METHOD_MASK) {
      case METHOD.MASQ:
        return this.masquerade(packet, dest?.addr ?? conns.daddr(id), conns.dport(id));
      case METHOD.ROUTE:
        return this.direct(packet, dest?.addr ?? conns.daddr(id), false);
      case METHOD.TUNNEL:
        return this.tunnel(packet, dest, dest?.addr ?? conns.daddr(id), false);
      case METHOD.BYPASS:
        return this.bypass(packet);
      default:
        return packet.length;
    }
  }

  /** An ICMP error about packets of an entry, on its way to the server. */
  transmitError(packet: PacketInHand, id: ConnId): number {
    const { director, counters } = this.parts;
    const { conns } = director.life;
    const dest = director.life.destOf(id);
    const daddr = dest?.addr ?? conns.daddr(id);
    counters.packets_to_servers++;
    switch (conns.flags(id) & CONN_FLAG.METHOD_MASK) {
      case METHOD.MASQ: {
        const route = this.parts.routes.find(daddr);
        if (route.type !== ROUTE_TYPE.LOCAL && !this.mayLeave(packet, route, Number.POSITIVE_INFINITY))
          return 0;
        translateErrorToServer(packet.view, daddr, conns.dport(id));
        return packet.length;
      }
      case METHOD.ROUTE:
        return this.direct(packet, daddr, true);
      case METHOD.TUNNEL:
        return this.tunnel(packet, dest, daddr, true);
      default:
        return packet.length;
    }
  }

  private masquerade(packet: PacketInHand, daddr: Address, dport: number): number {
    const { routes, counters } = this.parts;
    const route = routes.find(daddr);
    if (route.type === ROUTE_TYPE.LOCAL) {
      if (isLoopback(daddr) && packet.hook !== HOOK.LOCAL_OUT) {
        counters.dropped_martian++;
        return 0;
      }
    } else if (!this.mayLeave(packet, route, route.mtu)) {
      return 0;
    }
    translateDestination(packet.view, daddr, dport, vnetNeedsChecksum(packet.bytes, packet.at));
    return packet.length;
  }

  private direct(packet: PacketInHand, daddr: Address, isError: boolean): number {
    const { routes, output } = this.parts;
    const route = routes.find(daddr);
    if (route.type === ROUTE_TYPE.LOCAL) return packet.length;
    if (!this.mayLeave(packet, route, isError ? Number.POSITIVE_INFINITY : route.mtu)) return 0;
    decrementTtl(packet.bytes, packet.at);
    output.direct(packet, daddr, route.mtu);
    return 0;
  }

  private tunnel(
    packet: PacketInHand,
    dest: Destination | undefined,
    daddr: Address,
    isError: boolean,
  ): number {
    const { routes, output, counters, director } = this.parts;
    const route = routes.find(daddr);
    if (route.type === ROUTE_TYPE.LOCAL) return packet.length;
    // A connection whose server is gone for good keeps no more than its address.
    const tunnel: Tunnel = {
      type: dest?.tunnelType ?? TUNNEL_TYPE.IPIP,
      flags: dest?.tunnelFlags ?? 0,
      port: dest?.tunnelPort ?? 0,
      source: route.source ?? daddr,
      server: daddr,
    };
    const mtu =
      route.mtu -
      tunnelOverhead(tunnel, daddr.family === AF_INET6, vnetNeedsChecksum(packet.bytes, packet.at));
    if (route.type === ROUTE_TYPE.UNICAST && mtu < LEAST_MTU[packet.view.isV6 ? AF_INET6 : AF_INET]) {
      counters.dropped_too_big++;
      return 0;
    }
    const keepsDf = director.settings.isOn('pmtu_disc');
    const limit = isError || (!packet.view.isV6 && !keepsDf) ? Number.POSITIVE_INFINITY : mtu;
    if (!this.mayLeave(packet, route, limit)) return 0;
    decrementTtl(packet.bytes, packet.at);
    output.tunnel(packet, tunnel, route.mtu, keepsDf);
    return 0;
  }

  /** On to where the client sent it. */
  private bypass(packet: PacketInHand): number {
    const route = this.parts.routes.find(packet.view.dst);
    if (route.type === ROUTE_TYPE.LOCAL) return packet.length;
    return this.mayLeave(packet, route, route.mtu) ? packet.length : 0;
  }

  /**
   * The checks before a packet leaves the host; what fails is answered and counted.
   * @param mtu bytes that it may have
   */
  private mayLeave(packet: PacketInHand, route: Route, mtu: number): boolean {
    const { answerer, counters } = this.parts;
    if (route.type !== ROUTE_TYPE.UNICAST && route.type !== ROUTE_TYPE.MULTICAST) {
      counters.dropped_no_route++;
      answerer.hostUnreachable(packet);
      return false;
    }
    if (packet.hook !== HOOK.LOCAL_OUT && isLoopback(packet.view.src)) {
      counters.dropped_martian++;
      return false;
    }
    if (ttlOf(packet.bytes, packet.at) <= 1) {
      counters.dropped_ttl++;
      answerer.timeExceeded(packet);
      return false;
    }
    if (wireLength(packet) > mtu && (packet.view.isV6 || hasDf(packet))) {
      counters.dropped_too_big++;
      // As one that has been forwarded: the sender sees it so in the answer.
      decrementTtl(packet.bytes, packet.at);
      answerer.tooBig(packet, mtu);
      return false;
    }
    return true;
  }
}

const isLoopback = (address: Address): boolean =>
  address.family === AF_INET
    ? address.words[0] >>> 24 === 127
    : address.words[3] === 1 && (address.words[0] | address.words[1] | address.words[2]) === 0;
