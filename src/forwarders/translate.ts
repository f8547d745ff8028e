import { type Address, AF_INET6 } from '../core/address.ts';
import { PROTOCOL } from '../core/config.ts';
import { setU16, u16 } from '../core/wire/bytes.ts';
import { adjustChecksum, adjustSum, exchangeU16, foldSum } from '../core/wire/checksum.ts';
import { exchangeIpv4Dst, exchangeIpv4Src, pseudoSum4 } from '../core/wire/ipv4.ts';
import { exchangeIpv6Dst, exchangeIpv6Src, pseudoSum6 } from '../core/wire/ipv6.ts';
import { SCTP_HEADER_LEN, sealSctp } from '../core/wire/sctp.ts';
import { TCP_CHECKSUM, TCP_HEADER_LEN } from '../core/wire/tcp.ts';
import { PORT_AT, UDP_CHECKSUM, UDP_HEADER_LEN } from '../core/wire/udp.ts';
import { bulkSum } from './bulk-sum.ts';
import type { PacketPlace } from './packet-place.ts';

/**
 * Gives a TCP, UDP or SCTP packet another destination, in place. Checksums are brought up to date, not verified: a
 * wrong one stays wrong. A UDP datagram without checksum gets one.
 * @param isPartial the checksum is unfinished, as a vnet header says
 * @returns false if the packet is of another family than the address, or too short: it is unchanged then
 */
export function translateDestination(
  place: PacketPlace,
  address: Address,
  port: number,
  isPartial: boolean,
): boolean {
  if (!isTranslatable(place, address)) return false;
  const difference = place.isV6
    ? exchangeIpv6Dst(place.bytes, place.at, address.words)
    : exchangeIpv4Dst(place.bytes, place.at, address.words[0]);
  changePort(place, PORT_AT.DESTINATION, port, difference, isPartial);
  return true;
}

/** Gives a packet another source; else as translateDestination. */
export function translateSource(
  place: PacketPlace,
  address: Address,
  port: number,
  isPartial: boolean,
): boolean {
  if (!isTranslatable(place, address)) return false;
  const difference = place.isV6
    ? exchangeIpv6Src(place.bytes, place.at, address.words)
    : exchangeIpv4Src(place.bytes, place.at, address.words[0]);
  changePort(place, PORT_AT.SOURCE, port, difference, isPartial);
  return true;
}

function isTranslatable({ transport, end, isV6, protocol }: PacketPlace, address: Address): boolean {
  return (address.family === AF_INET6) === isV6 && end - transport >= headerLength(protocol);
}

function headerLength(protocol: number): number {
  if (protocol === PROTOCOL.TCP) return TCP_HEADER_LEN;
  if (protocol === PROTOCOL.UDP) return UDP_HEADER_LEN;
  return protocol === PROTOCOL.SCTP ? SCTP_HEADER_LEN : Number.POSITIVE_INFINITY;
}

function changePort(
  place: PacketPlace,
  field: number,
  port: number,
  difference: number,
  isPartial: boolean,
): void {
  const { bytes: b, transport, end, protocol } = place;
  const portDifference = exchangeU16(b, transport + field, port);
  if (protocol === PROTOCOL.SCTP) {
    // The sum is over the SCTP packet alone. A port that stays adds 0xffff.
    if (portDifference !== 0xffff) sealSctp(b, transport, end - transport);
    return;
  }
  const checksum = transport + (protocol === PROTOCOL.TCP ? TCP_CHECKSUM : UDP_CHECKSUM);
  // The sum over the transport's own bytes is yet to be made, so that only the pseudo header counts.
  if (isPartial) adjustSum(b, checksum, difference);
  else if (protocol === PROTOCOL.TCP) adjustChecksum(b, checksum, difference + portDifference);
  else if (u16(b, checksum) === 0) sealUdp(place, checksum);
  else {
    adjustChecksum(b, checksum, difference + portDifference);
    if (u16(b, checksum) === 0) setU16(b, checksum, 0xffff);
  }
}

/** Over all bytes of the IP packet, also those behind the datagram's own length (udp_dnat_handler). */
function sealUdp({ bytes: b, at, transport, end, isV6 }: PacketPlace, checksum: number): void {
  const length = end - transport;
  const pseudo = isV6 ? pseudoSum6(b, at, PROTOCOL.UDP, length) : pseudoSum4(b, at, length);
  setU16(b, checksum, ~foldSum(bulkSum(b, transport, length, pseudo)) & 0xffff || 0xffff);
}
