import {
  type Address,
  AF_INET,
  AF_INET6,
  addressBytes,
  addressFromBytes,
  formatAddress,
} from '../../src/core/address.ts';
import { foldSum, sumWords } from '../../src/core/wire/checksum.ts';
import type { SniffedPacket } from './step.ts';

const ICMP = 1;
const IPIP = 4;
const TCP = 6;
const UDP = 17;
const IPV6 = 41;
const GRE = 47;
const ICMPV6 = 58;

/** Where the recordings' servers take gue. */
const GUE_PORT = 6080;

/** How a packet came to be looked at. */
interface View {
  /** Quoted by an ICMP error: cut off, and with sums of before. */
  readonly isQuoted: boolean;
  /** Checksums of the inner packet may be left to its receiver. */
  readonly isUnfinished: boolean;
}

const ON_THE_WIRE: View = { isQuoted: false, isUnfinished: false };
const QUOTED: View = { isQuoted: true, isUnfinished: false };

/** One IP packet's transport part. */
interface Body {
  readonly bytes: Buffer;
  readonly src: Address;
  readonly dst: Address;
  readonly protocol: number;
  /** No fragment, and nothing cut off. */
  readonly isWhole: boolean;
}

/**
 * Packets in words, sorted, without what differs from run to run: identifications (but whether they are 0, in tunnel
 * headers), TCP sequence numbers, windows and options, gue's source port. Neighbour discovery and errors that a real
 * server itself sends are left out.
 */
export function describePackets(packets: readonly SniffedPacket[]): string[] {
  return packets
    .map(({ dir, hex }) => `${dir} ${describe(Buffer.from(hex, 'hex'), ON_THE_WIRE)}`)
    .filter((line) => !/icmp6 13\d\/|^out (10\.2\.0\.|fd00:2:).* icmp6? /.test(line))
    .sort();
}

function describe(b: Buffer, view: View): string {
  const version = b.length > 0 ? b[0]! >> 4 : 0;
  if (version === 4 && b.length >= 20) return describeIpv4(b, view);
  if (version === 6 && b.length >= 40) return describeIpv6(b, view);
  return `? ${b.toString('hex')}`;
}

function describeIpv4(b: Buffer, view: View): string {
  const headerLength = (b[0]! & 15) * 4;
  const [protocol, fragment, id] = [b[9]!, b.readUInt16BE(6), b.readUInt16BE(4)];
  // A kernel that receives gue shortens the packet where it stands, and the recorder saw it after that.
  const isGue =
    protocol === UDP && b.length >= headerLength + 4 && b.readUInt16BE(headerLength + 2) === GUE_PORT;
  const length = isGue ? b.length : b.readUInt16BE(2);
  const [src, dst] = [addressFromBytes(AF_INET, b, 12), addressFromBytes(AF_INET, b, 16)];
  const isSumRight = view.isQuoted || isGue || foldSum(sumWords(b, 0, headerLength)) === 0xffff;
  const head = [
    `${formatAddress(src)} > ${formatAddress(dst)} ttl ${b[8]} tos ${hex(b[1]!, 2)} length ${length}`,
    ` fragment ${hex(fragment, 4)}`,
    isGue || protocol === IPIP || protocol === GRE ? ` id ${id === 0 ? '0' : 'set'}` : '',
    isSumRight ? '' : ' WRONG HEADER SUM',
  ].join('');
  if ((fragment & 0x1fff) !== 0) return `${head} protocol ${protocol}`;
  const bytes = b.subarray(headerLength, length);
  const isWhole = length <= b.length && (fragment & 0x3fff) === 0;
  return `${head} ${describeBody({ bytes, src, dst, protocol, isWhole }, view)}`;
}

function describeIpv6(b: Buffer, view: View): string {
  const length = b.readUInt16BE(4);
  const [src, dst] = [addressFromBytes(AF_INET6, b, 8), addressFromBytes(AF_INET6, b, 24)];
  const trafficClass = hex((b.readUInt16BE(0) >> 4) & 255, 2);
  const bytes = b.subarray(40, 40 + length);
  const body = { bytes, src, dst, protocol: b[6]!, isWhole: length + 40 <= b.length };
  const ends = `${formatAddress(src)} > ${formatAddress(dst)}`;
  return `${ends} hops ${b[7]} class ${trafficClass} length ${length} ${describeBody(body, view)}`;
}

function describeBody(body: Body, view: View): string {
  const { bytes, protocol, isWhole } = body;
  const minimum: Record<number, number> = { [TCP]: 20, [UDP]: 8, [ICMP]: 8, [ICMPV6]: 8, [GRE]: 4 };
  if (bytes.length < (minimum[protocol] ?? 0)) return `protocol ${protocol} ${bytes.toString('hex')}`;
  switch (protocol) {
    case TCP: {
      const payload = bytes.subarray((bytes[12]! >> 4) * 4).toString('hex');
      return `tcp ${ports(bytes)} flags ${hex(bytes[13]!, 2)} data ${payload}${sumNote(body, view, 16)}`;
    }
    case UDP:
      return describeUdp(body, view);
    case ICMP:
    case ICMPV6:
      return describeIcmp(body, view);
    case IPIP:
    case IPV6:
      return `ip in ip ${isWhole ? describe(bytes, view) : '(fragment)'}`;
    case GRE: {
      const flags = bytes.readUInt16BE(0);
      const inner = bytes.subarray((flags & 0x8000) === 0 ? 4 : 8);
      return `gre ${hex(flags, 4)} ${bytes.toString('hex', 2, 4)} ${describe(inner, view)}`;
    }
    default:
      return `protocol ${protocol} ${bytes.toString('hex')}`;
  }
}

function describeUdp(body: Body, view: View): string {
  const { bytes } = body;
  const isSummed = bytes.readUInt16BE(6) !== 0;
  if (bytes.readUInt16BE(2) === GUE_PORT && !view.isQuoted) {
    const headerLength = 4 + ((bytes[8] ?? 0) & 31) * 4;
    const header = bytes.toString('hex', 8, 8 + headerLength);
    const inner = describe(bytes.subarray(8 + headerLength), { ...view, isUnfinished: true });
    return `gue ${isSummed ? 'with sum' : 'no sum'} ${header} ${inner}`;
  }
  const note = isSummed ? sumNote(body, view, 6) : ' no sum';
  return `udp ${ports(bytes)} length ${bytes.readUInt16BE(4)} data ${bytes.toString('hex', 8)}${note}`;
}

function describeIcmp({ bytes, protocol, src, dst }: Body, view: View): string {
  const [type, code] = [bytes[0]!, bytes[1]!];
  const start = protocol === ICMPV6 ? pseudoSum(src, dst, protocol, bytes.length) : 0;
  const isRight = view.isQuoted || foldSum(sumWords(bytes, 0, bytes.length, start)) === 0xffff;
  const isError = protocol === ICMPV6 ? type < 5 : [3, 11, 12].includes(type);
  const rest = isError ? describe(bytes.subarray(8), QUOTED) : bytes.toString('hex', 8);
  const name = protocol === ICMPV6 ? 'icmp6' : 'icmp';
  return `${name} ${type}/${code} ${bytes.toString('hex', 4, 8)}${isRight ? '' : ' WRONG SUM'} ${rest}`;
}

/** A sum is right if it is complete, or if it is that of the pseudo header, which hardware would complete. */
function sumNote({ bytes, src, dst, protocol, isWhole }: Body, view: View, at: number): string {
  if (!isWhole || view.isQuoted || view.isUnfinished) return '';
  const pseudo = pseudoSum(src, dst, protocol, bytes.length);
  const isComplete = foldSum(sumWords(bytes, 0, bytes.length, pseudo)) === 0xffff;
  return isComplete || bytes.readUInt16BE(at) === foldSum(pseudo) ? '' : ' WRONG SUM';
}

function pseudoSum(src: Address, dst: Address, protocol: number, length: number): number {
  const [from, to] = [addressBytes(src), addressBytes(dst)];
  return sumWords(from, 0, from.length) + sumWords(to, 0, to.length) + protocol + length;
}

const ports = (b: Buffer): string => `${b.readUInt16BE(0)} > ${b.readUInt16BE(2)}`;

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');
