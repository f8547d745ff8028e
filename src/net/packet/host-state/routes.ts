import { type Address, AF_INET, type Family } from '../../../core/address.ts';
import { monotonicNow } from '../../clock.ts';
import { AddressMap } from './address-map.ts';
import {
  answerErrno,
  type LinkAnswer,
  linkRequest,
  parseLink,
  parseRoute,
  ROUTE_TYPE,
  routeRequest,
} from './rtnetlink.ts';

/** Routes that are remembered, per family. */
const CACHE_LIMIT = 65_536;

/** What a path's MTU was found to be ends without a notice: no answer holds longer. */
const CACHE_MS = 1000;

/** What an IPv6 link must carry; the answer for a device that is gone. */
const LEAST_MTU = 1280;

/** The errno names the kind of a route that refuses. */
const TYPE_OF_ERRNO: Readonly<Record<number, number>> = {
  13: ROUTE_TYPE.PROHIBIT,
  22: ROUTE_TYPE.BLACKHOLE,
  113: ROUTE_TYPE.UNREACHABLE,
};

/** How the host would send to a destination. */
export interface Route {
  /** One of ROUTE_TYPE. */
  readonly type: number;
  /** Index of the interface; 0 where there is none. */
  readonly oif: number;
  /** Name of the interface; '' where there is none. */
  readonly device: string;
  /** `undefined`: the destination is a neighbour, or the host itself. */
  readonly gateway: Address | undefined;
  /** The address that the host would send from; `undefined` where there is no route. */
  readonly source: Address | undefined;
  /** Longest packet in bytes; 0 where there is no route. */
  readonly mtu: number;
}

/** Exchanges one rtnetlink message for its answer. */
export interface RouteQuestioner {
  /** @returns the first answer; valid until the next call */
  ask(request: Uint8Array): Uint8Array;
}

interface Remembered {
  readonly route: Route;
  readonly at: number;
}

/** The host's routes, as its kernel finds them, remembered until they may have changed. */
export class Routes {
  private readonly kernel: RouteQuestioner;
  private readonly ipv6Mtu: (device: string) => number | undefined;
  private readonly now: () => number;
  private readonly cache = new AddressMap<Remembered>(CACHE_LIMIT);
  private readonly links = new Map<number, LinkAnswer>();
  private sequence = 0;
  /** Grows whenever routes may have changed: what was kept of an answer of before is to be asked for again. */
  generation = 0;

  /**
   * @param ipv6Mtu the MTU for IPv6 of a device, which may be less than the device's
   * @param now milliseconds
   */
  constructor(
    kernel: RouteQuestioner,
    ipv6Mtu: (device: string) => number | undefined,
    now: () => number = monotonicNow,
  ) {
    this.kernel = kernel;
    this.ipv6Mtu = ipv6Mtu;
    this.now = now;
  }

  /** The route to an address; at most a second old. */
  find(address: Address): Route {
    const now = this.now();
    const known = this.cache.get(address);
    if (known !== undefined && now - known.at < CACHE_MS) return known.route;
    const route = this.look(address);
    this.cache.set(address, { route, at: now });
    return route;
  }

  /** Whether packets to an address are the host's own. */
  isLocal(address: Address): boolean {
    return this.find(address).type === ROUTE_TYPE.LOCAL;
  }

  /** To be called when links, addresses or routes have changed. */
  forget(): void {
    this.generation++;
    this.cache.clear();
    this.links.clear();
  }

  private look(address: Address): Route {
    const bytes = this.kernel.ask(routeRequest(address, ++this.sequence));
    const answer = parseRoute(bytes);
    if (!answer) return noRoute(answerErrno(bytes));
    const link = this.link(answer.oif);
    const mtu = answer.mtu || this.deviceMtu(link, address.family);
    const { type, oif, gateway, source } = answer;
    return { type, oif, device: link?.name ?? '', gateway, source, mtu };
  }

  private deviceMtu(link: LinkAnswer | undefined, family: Family): number {
    if (!link) return LEAST_MTU;
    if (family === AF_INET) return link.mtu;
    return Math.min(link.mtu, this.ipv6Mtu(link.name) ?? link.mtu);
  }

  private link(index: number): LinkAnswer | undefined {
    const known = this.links.get(index);
    if (known) return known;
    const link = parseLink(this.kernel.ask(linkRequest(index, ++this.sequence)));
    if (link) this.links.set(index, link);
    return link;
  }
}

function noRoute(errno: number): Route {
  const type = TYPE_OF_ERRNO[errno] ?? ROUTE_TYPE.NONE;
  return { type, oif: 0, device: '', gateway: undefined, source: undefined, mtu: 0 };
}
