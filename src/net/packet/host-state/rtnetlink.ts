import { type Address, AF_INET, addressBytes, addressFromBytes, type Family } from '../../../core/address.ts';

// rtnetlink(7). Numbers in the byte order of the host; all hosts that Node's Linux builds run on are little-endian, but
// for s390x, which is not supported.

const HEADER_LEN = 16;
const ERROR = 2;
const DONE = 3;
const NEW_LINK = 16;
const GET_LINK = 18;
const SET_LINK = 19;
const NEW_ROUTE = 24;
const GET_ROUTE = 26;

const REQUEST = 0x1;
const ACK = 0x4;
/** All that there are. */
const DUMP = 0x300;

const ROUTE_HEADER_LEN = 12;
const LINK_HEADER_LEN = 16;

const RTA = { DST: 1, OIF: 4, GATEWAY: 5, PREFSRC: 7, METRICS: 8, VIA: 18 } as const;
const RTAX_MTU = 2;
const IFLA = { IFNAME: 3, MTU: 4, MASTER: 10, AF_SPEC: 26 } as const;
const IFLA_INET_CONF = 1;
const IFF_UP = 1;

/** Marks an attribute that holds attributes; the other high bit says that its number is in network order. */
const NESTED = 0x8000;
const TYPE_MASK = 0x3fff;

/** What becomes of packets to a destination (rtm_type); NONE: there is no route. */
export const ROUTE_TYPE = {
  NONE: 0,
  UNICAST: 1,
  LOCAL: 2,
  BROADCAST: 3,
  ANYCAST: 4,
  MULTICAST: 5,
  BLACKHOLE: 6,
  UNREACHABLE: 7,
  PROHIBIT: 8,
} as const;

/** Settings of a device by their numbers in the kernel (uapi linux/ip.h, IPV4_DEVCONF_*). */
const DEVCONF = { forwarding: 1, rp_filter: 8, accept_local: 23, src_valid_mark: 24 } as const;
export type Devconf = keyof typeof DEVCONF;

export interface RouteAnswer {
  /** One of ROUTE_TYPE. */
  readonly type: number;
  /** Interface index; 0 where there is none. */
  readonly oif: number;
  /** `undefined`: the destination is a neighbour, or the host itself. */
  readonly gateway: Address | undefined;
  /** The address that the host would send from. */
  readonly source: Address | undefined;
  /** MTU of the route in bytes, given or found out; 0: the device's. */
  readonly mtu: number;
}

export interface LinkAnswer {
  readonly index: number;
  readonly name: string;
  readonly mtu: number;
  readonly isUp: boolean;
  /** Kind of its link layer (uapi linux/if_arp.h): 1 for Ethernet. */
  readonly layer: number;
  /** Index of the bridge, bond or the like that its packets pass on to; 0 for none. */
  readonly master: number;
}

/** Asks for the route to an address. */
export function routeRequest(address: Address, sequence: number): Uint8Array {
  const bytes = addressBytes(address);
  const writer = new Message(GET_ROUTE, REQUEST, sequence, ROUTE_HEADER_LEN);
  writer.u8(HEADER_LEN, address.family);
  writer.u8(HEADER_LEN + 1, bytes.length * 8);
  writer.attribute(RTA.DST, bytes);
  return writer.finish();
}

/** Asks for an interface, by index or by name. */
export function linkRequest(link: number | string, sequence: number): Uint8Array {
  const writer = new Message(GET_LINK, REQUEST, sequence, LINK_HEADER_LEN);
  if (typeof link === 'number') writer.u32(HEADER_LEN + 4, link);
  else writer.attribute(IFLA.IFNAME, new TextEncoder().encode(`${link}\0`));
  return writer.finish();
}

/** Asks for all interfaces. */
export const linksRequest = (sequence: number): Uint8Array =>
  new Message(GET_LINK, REQUEST | DUMP, sequence, LINK_HEADER_LEN).finish();

/** Asks to change IPv4 settings of one interface: what sysctl does, but also where /proc/sys is read-only. */
export function devconfRequest(
  index: number,
  settings: Readonly<Partial<Record<Devconf, number>>>,
  sequence: number,
): Uint8Array {
  const writer = new Message(SET_LINK, REQUEST | ACK, sequence, LINK_HEADER_LEN);
  writer.u32(HEADER_LEN + 4, index);
  writer.nest(IFLA.AF_SPEC, () =>
    writer.nest(AF_INET, () =>
      writer.nest(IFLA_INET_CONF, () => {
        for (const [name, value] of Object.entries(settings)) {
          writer.attribute(DEVCONF[name as Devconf], wordBytes(value));
        }
      }),
    ),
  );
  return writer.finish();
}

/** @returns the errno of an answer: 0 for success or for an answer with content, -1 if it is none. */
export function answerErrno(bytes: Uint8Array): number {
  const view = viewOf(bytes);
  if (bytes.length < HEADER_LEN) return -1;
  if (view.getUint16(4, true) !== ERROR) return 0;
  return bytes.length < HEADER_LEN + 4 ? -1 : 0 - view.getInt32(HEADER_LEN, true);
}

/** @returns what the kernel answered about a route, or `undefined` if the bytes are no such answer. */
export function parseRoute(bytes: Uint8Array): RouteAnswer | undefined {
  const at = contentAt(bytes, NEW_ROUTE, ROUTE_HEADER_LEN);
  if (at < 0) return undefined;
  const family = bytes[HEADER_LEN] as Family;
  const answer = { type: bytes[HEADER_LEN + 7]!, oif: 0, mtu: 0 };
  let gateway: Address | undefined;
  let source: Address | undefined;
  eachAttribute(bytes, at, messageEnd(bytes), (type, from, to) => {
    const view = viewOf(bytes);
    if (type === RTA.OIF && to - from >= 4) answer.oif = view.getUint32(from, true);
    else if (type === RTA.GATEWAY) gateway = addressFromBytes(family, bytes.subarray(0, to), from);
    else if (type === RTA.PREFSRC) source = addressFromBytes(family, bytes.subarray(0, to), from);
    else if (type === RTA.VIA && to - from > 2) gateway = viaAddress(bytes, from, to);
    else if (type === RTA.METRICS) answer.mtu = mtuMetric(bytes, from, to);
  });
  return { ...answer, gateway, source };
}

/** @returns what the kernel answered about an interface, or `undefined` if the bytes are no such answer. */
export function parseLink(bytes: Uint8Array): LinkAnswer | undefined {
  const at = contentAt(bytes, NEW_LINK, LINK_HEADER_LEN);
  if (at < 0) return undefined;
  const view = viewOf(bytes);
  const isUp = (view.getUint32(HEADER_LEN + 8, true) & IFF_UP) !== 0;
  const layer = view.getUint16(HEADER_LEN + 2, true);
  const answer = { index: view.getInt32(HEADER_LEN + 4, true), name: '', mtu: 0, isUp, layer, master: 0 };
  eachAttribute(bytes, at, messageEnd(bytes), (type, from, to) => {
    if (type === IFLA.IFNAME) answer.name = new TextDecoder().decode(bytes.subarray(from, to - 1));
    else if (type === IFLA.MTU && to - from >= 4) answer.mtu = view.getUint32(from, true);
    else if (type === IFLA.MASTER && to - from >= 4) answer.master = view.getUint32(from, true);
  });
  return answer;
}

/**
 * Reads one part of the answer about all interfaces.
 * @param links are added to
 * @returns whether it was the last part
 */
export function parseLinks(bytes: Uint8Array, links: LinkAnswer[]): boolean {
  const view = viewOf(bytes);
  for (let at = 0; at + HEADER_LEN <= bytes.length; ) {
    const type = view.getUint16(at + 4, true);
    if (type === DONE || type === ERROR) return true;
    const link = parseLink(bytes.subarray(at));
    if (link) links.push(link);
    const length = view.getUint32(at, true);
    if (length < HEADER_LEN || length > bytes.length) return true;
    at += (length + 3) & ~3;
  }
  return bytes.length < HEADER_LEN;
}

function mtuMetric(bytes: Uint8Array, from: number, to: number): number {
  let mtu = 0;
  eachAttribute(bytes, from, to, (type, at, end) => {
    if (type === RTAX_MTU && end - at >= 4) mtu = viewOf(bytes).getUint32(at, true);
  });
  return mtu;
}

/** An IPv4 route may have a gateway of IPv6: family, then the address. */
function viaAddress(bytes: Uint8Array, from: number, to: number): Address {
  const family = viewOf(bytes).getUint16(from, true) as Family;
  return addressFromBytes(family, bytes.subarray(0, to), from + 2);
}

/** @returns where the attributes begin, or -1 for another message */
function contentAt(bytes: Uint8Array, type: number, headerLength: number): number {
  if (bytes.length < HEADER_LEN + headerLength) return -1;
  return viewOf(bytes).getUint16(4, true) === type ? HEADER_LEN + headerLength : -1;
}

const messageEnd = (bytes: Uint8Array): number => Math.min(bytes.length, viewOf(bytes).getUint32(0, true));

function eachAttribute(
  bytes: Uint8Array,
  start: number,
  end: number,
  visit: (type: number, from: number, to: number) => void,
): void {
  const view = viewOf(bytes);
  for (let at = start; at + 4 <= end; ) {
    const length = view.getUint16(at, true);
    if (length < 4 || at + length > end) return;
    visit(view.getUint16(at + 2, true) & TYPE_MASK, at + 4, at + length);
    at += (length + 3) & ~3;
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function wordBytes(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, value, true);
  return bytes;
}

/** Requests are far shorter. */
const LONGEST_REQUEST = 256;

/** A request under construction. */
class Message {
  private readonly bytes = new Uint8Array(LONGEST_REQUEST);
  private readonly view = viewOf(this.bytes);
  private length: number;

  constructor(type: number, flags: number, sequence: number, headerLength: number) {
    this.length = HEADER_LEN + headerLength;
    this.view.setUint16(4, type, true);
    this.view.setUint16(6, flags, true);
    this.view.setUint32(8, sequence, true);
  }

  u8(at: number, value: number): void {
    this.bytes[at] = value;
  }

  u32(at: number, value: number): void {
    this.view.setUint32(at, value, true);
  }

  attribute(type: number, content: Uint8Array): void {
    this.view.setUint16(this.length, 4 + content.length, true);
    this.view.setUint16(this.length + 2, type, true);
    this.bytes.set(content, this.length + 4);
    this.length += (4 + content.length + 3) & ~3;
  }

  nest(type: number, fill: () => void): void {
    const at = this.length;
    this.length += 4;
    fill();
    this.view.setUint16(at, this.length - at, true);
    this.view.setUint16(at + 2, type | NESTED, true);
  }

  finish(): Uint8Array {
    this.view.setUint32(0, this.length, true);
    return this.bytes.subarray(0, this.length);
  }
}
