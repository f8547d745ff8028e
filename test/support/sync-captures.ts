import { readFileSync } from 'node:fs';

const GLOBAL_HEADER = 24;
const PACKET_HEADER = 16;

const UDP_HEADER = 8;
const IPV4_HEADER = 20;
const IPV6_HEADER = 40;

/** @returns the payloads of the UDP datagrams in a recorded capture of IP packets */
export function capturedPayloads(name: string): Uint8Array[] {
  const file = readFileSync(new URL(`../golden/sync/${name}`, import.meta.url));
  const payloads: Uint8Array[] = [];
  for (let at = GLOBAL_HEADER; at < file.length; ) {
    const length = file.readUInt32LE(at + 8);
    const packet = file.subarray(at + PACKET_HEADER, at + PACKET_HEADER + length);
    const ipHeader = packet[0]! >>> 4 === 4 ? IPV4_HEADER : IPV6_HEADER;
    payloads.push(new Uint8Array(packet.subarray(ipHeader + UDP_HEADER)));
    at += PACKET_HEADER + length;
  }
  return payloads;
}
