import { type Address, AF_INET6 } from '../core/address.ts';
import { PROTOCOL } from '../core/config.ts';
import { PacketView, READING } from '../core/packet-view.ts';
import { setU16 } from '../core/wire/bytes.ts';
import { foldSum } from '../core/wire/checksum.ts';
import { ICMP_HEADER_LEN, setIcmpChecksum } from '../core/wire/icmp.ts';
import { exchangeIpv4Dst, exchangeIpv4Src, sealIpv4 } from '../core/wire/ipv4.ts';
import { exchangeIpv6Dst, exchangeIpv6Src, pseudoSum6 } from '../core/wire/ipv6.ts';
import { PORT_AT } from '../core/wire/udp.ts';
import { bulkSum } from './bulk-sum.ts';
import { IP_PROTOCOL, type PacketPlace } from './packet-place.ts';

const QUOTED = new PacketView();

/**
 * Rewrites an ICMP or ICMPv6 error about a reply, from the client's side, for the server that sent the reply
 * (ip_vs_nat_icmp): destination, and source and source port of the quoted packet, become the server's.
 * @returns false if it quotes no packet with ports, or another family: it is unchanged then
 */
export function translateErrorToServer(error: PacketPlace, daddr: Address, dport: number): boolean {
  if (!readQuoted(error, daddr)) return false;
  const { bytes: b, at } = error;
  if (error.isV6) {
    exchangeIpv6Dst(b, at, daddr.words);
    exchangeIpv6Src(b, QUOTED.at, daddr.words);
  } else {
    exchangeIpv4Dst(b, at, daddr.words[0]);
    exchangeIpv4Src(b, QUOTED.at, daddr.words[0]);
  }
  setU16(b, QUOTED.transport + PORT_AT.SOURCE, dport);
  seal(error);
  return true;
}

/**
 * Rewrites an error about a request, from the server's side, for the client: the source, even if that is a router in
 * between, and destination and destination port of the quoted packet become the virtual service's.
 */
export function translateErrorToClient(error: PacketPlace, vaddr: Address, vport: number): boolean {
  if (!readQuoted(error, vaddr)) return false;
  const { bytes: b, at } = error;
  if (error.isV6) {
    exchangeIpv6Src(b, at, vaddr.words);
    exchangeIpv6Dst(b, QUOTED.at, vaddr.words);
  } else {
    exchangeIpv4Src(b, at, vaddr.words[0]);
    exchangeIpv4Dst(b, QUOTED.at, vaddr.words[0]);
  }
  setU16(b, QUOTED.transport + PORT_AT.DESTINATION, vport);
  seal(error);
  return true;
}

/** Finds the quoted packet. */
function readQuoted({ bytes, transport, end, isV6, protocol }: PacketPlace, address: Address): boolean {
  if (protocol !== (isV6 ? IP_PROTOCOL.ICMPV6 : IP_PROTOCOL.ICMP)) return false;
  if ((address.family === AF_INET6) !== isV6) return false;
  if (QUOTED.read(bytes, transport + ICMP_HEADER_LEN, end, true) !== READING.WHOLE) return false;
  return QUOTED.isV6 === isV6 && hasPorts(QUOTED.protocol) && QUOTED.end - QUOTED.transport >= 4;
}

const hasPorts = (protocol: number): boolean =>
  protocol === PROTOCOL.TCP || protocol === PROTOCOL.UDP || protocol === PROTOCOL.SCTP;

/** Makes all sums anew but that of the quoted transport header, of which too little may be there. */
function seal({ bytes: b, at, transport, end, isV6 }: PacketPlace): void {
  const length = end - transport;
  if (!isV6) {
    sealIpv4(b, at);
    sealIpv4(b, QUOTED.at);
  }
  setIcmpChecksum(b, transport, 0);
  const pseudo = isV6 ? pseudoSum6(b, at, IP_PROTOCOL.ICMPV6, length) : 0;
  setIcmpChecksum(b, transport, ~foldSum(bulkSum(b, transport, length, pseudo)));
}
