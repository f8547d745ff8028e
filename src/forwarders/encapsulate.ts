import { AF_INET6 } from '../core/address.ts';
import { PROTOCOL, TUNNEL_TYPE } from '../core/config.ts';
import { mixHash } from '../core/hash.ts';
import { i32, setU16, setU32 } from '../core/wire/bytes.ts';
import { foldSum } from '../core/wire/checksum.ts';
import {
  IPV4_FRAGMENT,
  IPV4_HEADER_LEN,
  ipv4Dst,
  ipv4Fragment,
  ipv4Src,
  ipv4Tos,
  pseudoSum4,
  sealIpv4,
  writeIpv4,
} from '../core/wire/ipv4.ts';
import {
  IPV6_HEADER_LEN,
  ipv6DstWord,
  ipv6SrcWord,
  ipv6TrafficClass,
  pseudoSum6,
  writeIpv6,
} from '../core/wire/ipv6.ts';
import { TCP_CHECKSUM } from '../core/wire/tcp.ts';
import { UDP_CHECKSUM, UDP_HEADER_LEN, writeUdp } from '../core/wire/udp.ts';
import { bulkSum } from './bulk-sum.ts';
import { finishSum } from './complete.ts';
import { IP_PROTOCOL, type PacketPlace } from './packet-place.ts';
import { ttlOf } from './ttl.ts';
import {
  ETHERTYPE,
  GRE_CHECKSUM,
  GRE_CHECKSUM_LEN,
  GRE_HEADER_LEN,
  GUE_HEADER_LEN,
  GUE_PRIVATE,
  GUE_REMOTE_CHECKSUM,
  GUE_REMOTE_CHECKSUM_LEN,
  innerOverhead,
  leavesChecksum,
  TUNNEL_FLAG,
  type Tunnel,
  tunnelOverhead,
} from './tunnel.ts';

/** Most room that encapsulation takes before a packet, in bytes. */
export const MAX_TUNNEL_OVERHEAD =
  IPV6_HEADER_LEN + UDP_HEADER_LEN + GUE_HEADER_LEN + GUE_REMOTE_CHECKSUM_LEN;

const MAX_IP_BYTES = 65_535;
const ECN_MASK = 3;
const CONGESTED = 3;
const ECT_0 = 2;

/** Source ports as Linux gives them to flows by default (ip_local_port_range). */
const FIRST_PORT = 32_768;
const PORTS = 60_999 - FIRST_PORT;

/**
 * Puts the headers of a tunnel before a packet (ip_vs_tunnel_xmit, ip_vs_tunnel_xmit_v6). The packet's TTL, already
 * decremented, and its DS field become the outer ones; congestion experienced is shown outside as ECT(0).
 * @param place the packet; MAX_TUNNEL_OVERHEAD bytes before it may be written
 * @param id identification of an outer IPv4 header without DF; with DF it is 0
 * @param copiesDf an IPv4 packet's DF goes to an outer IPv4 header (sysctl pmtu_disc); else there is none
 * @param isPartial the transport checksum is unfinished: it is finished here, or left to the server if the tunnel says so
 * @returns where the new packet starts; it ends where the old one did. -1 if there is no room before the packet or
 *   it would be longer than an IP packet can be: it is unchanged then
 */
export function encapsulate(
  place: PacketPlace,
  tunnel: Tunnel,
  id: number,
  copiesDf: boolean,
  isPartial: boolean,
): number {
  const isOpen = isPartial && checksumField(place) >= 0;
  const isOuterV6 = tunnel.server.family === AF_INET6;
  const outer = place.at - tunnelOverhead(tunnel, isOuterV6, isOpen);
  const payloadLength = place.end - place.at + innerOverhead(tunnel, isOpen);
  const most = isOuterV6 ? MAX_IP_BYTES : MAX_IP_BYTES - IPV4_HEADER_LEN;
  if (outer < 0 || payloadLength > most) return -1;
  if (!place.isV6) sealIpv4(place.bytes, place.at);
  if (isOpen && !leavesChecksum(tunnel, isOpen))
    finishSum(place.bytes, place.transport, checksumField(place), place.end);
  const protocol = outerProtocol(tunnel, place.isV6);
  if (isOuterV6) writeOuter6(place, tunnel, outer, protocol, payloadLength);
  else writeOuter4(place, tunnel, outer, protocol, id, copiesDf);
  if (tunnel.type === TUNNEL_TYPE.GRE) writeGre(place, tunnel);
  else if (tunnel.type === TUNNEL_TYPE.GUE) writeGue(place, tunnel, outer, isOuterV6, isOpen);
  return outer;
}

/** Where a checksum is that may be unfinished. @returns -1 if there is none */
function checksumField({ transport, end, protocol }: PacketPlace): number {
  const offset = protocol === PROTOCOL.TCP ? TCP_CHECKSUM : UDP_CHECKSUM;
  const mayBeOpen = protocol === PROTOCOL.TCP || protocol === PROTOCOL.UDP;
  return mayBeOpen && transport + offset + 2 <= end ? transport + offset : -1;
}

function outerProtocol(tunnel: Tunnel, isInnerV6: boolean): number {
  if (tunnel.type === TUNNEL_TYPE.GUE) return PROTOCOL.UDP;
  return tunnel.type === TUNNEL_TYPE.GRE ? IP_PROTOCOL.GRE : innerProtocol(isInnerV6);
}

const innerProtocol = (isV6: boolean): number => (isV6 ? IP_PROTOCOL.IPV6 : IP_PROTOCOL.IPIP);

function writeOuter4(
  { bytes: b, at, end, isV6 }: PacketPlace,
  { source, server }: Tunnel,
  outer: number,
  protocol: number,
  id: number,
  copiesDf: boolean,
): void {
  const df = copiesDf && !isV6 ? ipv4Fragment(b, at) & IPV4_FRAGMENT.DF : 0;
  const tos = outerDsField(isV6 ? ipv6TrafficClass(b, at) : ipv4Tos(b, at));
  const ttl = ttlOf(b, at);
  writeIpv4(
    b,
    outer,
    tos,
    end - outer,
    df === 0 ? id : 0,
    df,
    ttl,
    protocol,
    source.words[0],
    server.words[0],
  );
  sealIpv4(b, outer);
}

function writeOuter6(
  { bytes: b, at, isV6 }: PacketPlace,
  { source, server }: Tunnel,
  outer: number,
  protocol: number,
  payloadLength: number,
): void {
  const trafficClass = outerDsField(isV6 ? ipv6TrafficClass(b, at) : ipv4Tos(b, at));
  writeIpv6(b, outer, trafficClass, payloadLength, protocol, ttlOf(b, at), source.words, server.words);
}

/** RFC 3168 section 9.1.1, full functionality. */
const outerDsField = (inner: number): number =>
  (inner & ECN_MASK) === CONGESTED ? (inner & ~ECN_MASK) | ECT_0 : inner;

function writeGre({ bytes: b, at, end, isV6 }: PacketPlace, tunnel: Tunnel): void {
  const gre = at - innerOverhead(tunnel, false);
  const isChecked = (tunnel.flags & TUNNEL_FLAG.CSUM) !== 0;
  setU16(b, gre, isChecked ? GRE_CHECKSUM : 0);
  setU16(b, gre + 2, isV6 ? ETHERTYPE.IPV6 : ETHERTYPE.IPV4);
  if (!isChecked) return;
  b.fill(0, gre + GRE_HEADER_LEN, gre + GRE_HEADER_LEN + GRE_CHECKSUM_LEN);
  setU16(b, gre + GRE_HEADER_LEN, ~foldSum(bulkSum(b, gre, end - gre)));
}

function writeGue(
  place: PacketPlace,
  tunnel: Tunnel,
  outer: number,
  isOuterV6: boolean,
  isPartial: boolean,
): void {
  const { bytes: b, at, end } = place;
  const udp = at - innerOverhead(tunnel, isPartial);
  const gue = udp + UDP_HEADER_LEN;
  const leaves = leavesChecksum(tunnel, isPartial);
  b[gue] = leaves ? GUE_REMOTE_CHECKSUM_LEN / 4 : 0;
  b[gue + 1] = innerProtocol(place.isV6);
  setU16(b, gue + 2, leaves ? GUE_PRIVATE : 0);
  if (leaves) {
    const words = gue + GUE_HEADER_LEN;
    setU32(b, words, GUE_REMOTE_CHECKSUM);
    setU16(b, words + 4, place.transport - at);
    setU16(b, words + 6, checksumField(place) - at);
  }
  const length = end - udp;
  writeUdp(b, udp, flowPort(place), tunnel.port, length, 0);
  if ((tunnel.flags & (TUNNEL_FLAG.CSUM | TUNNEL_FLAG.REMCSUM)) === 0) return;
  const pseudo = isOuterV6 ? pseudoSum6(b, outer, PROTOCOL.UDP, length) : pseudoSum4(b, outer, length);
  setU16(b, udp + UDP_CHECKSUM, ~foldSum(bulkSum(b, udp, length, pseudo)) & 0xffff || 0xffff);
}

/** A port that packets of one flow share, so that routers and network cards spread flows. */
function flowPort({ bytes: b, at, transport, end, isV6, protocol }: PacketPlace): number {
  let hash = protocol;
  if (isV6) {
    for (let i = 0; i < 4; i++) hash = mixHash(mixHash(hash, ipv6SrcWord(b, at, i)), ipv6DstWord(b, at, i));
  } else hash = mixHash(mixHash(hash, ipv4Src(b, at)), ipv4Dst(b, at));
  if (end - transport >= 4) hash = mixHash(hash, i32(b, transport));
  return FIRST_PORT + Math.floor(((hash >>> 0) * PORTS) / 0x100000000);
}
