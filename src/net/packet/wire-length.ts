import { PROTOCOL } from '../../core/config.ts';
import { IPV4_FRAGMENT, ipv4Fragment } from '../../core/wire/ipv4.ts';
import { tcpHeaderLength } from '../../core/wire/tcp.ts';
import { UDP_HEADER_LEN } from '../../core/wire/udp.ts';
import { VNET_GSO, vnetGsoSize, vnetGsoType } from '../../forwarders/vnet-header.ts';
import type { PacketInHand } from './packet-in-hand.ts';

/** Bytes of the largest IP packet that becomes of it on the wire: a super-packet is cut on its way out. */
export function wireLength({ bytes, at, length, view, maxFragmentBytes }: PacketInHand): number {
  if (maxFragmentBytes > 0) return maxFragmentBytes;
  if (vnetGsoType(bytes, at) === VNET_GSO.NONE) return length;
  const header = view.protocol === PROTOCOL.TCP ? tcpHeaderLength(bytes, view.transport) : UDP_HEADER_LEN;
  return Math.min(length, view.transport - at + header + vnetGsoSize(bytes, at));
}

/** Whether an IPv4 packet must not be cut. */
export const hasDf = ({ bytes, at }: PacketInHand): boolean =>
  (ipv4Fragment(bytes, at) & IPV4_FRAGMENT.DF) !== 0;
