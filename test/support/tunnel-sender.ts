// A director's end of a tunnel for tests: `tunnel-sender FORM SERVER` makes the TUN device `enc0` and sends what is
// routed to it to SERVER, wrapped; prints one line when it is ready. `tunnel-sender empty SERVER` sends outer headers alone.
import { createSocket } from 'node:dgram';
import { writeSync } from 'node:fs';
import { addressBytes } from '../../src/core/address.ts';
import { setU16 } from '../../src/core/wire/bytes.ts';
import { pseudoSum4 } from '../../src/core/wire/ipv4.ts';
import { pseudoSum6 } from '../../src/core/wire/ipv6.ts';
import { native } from '../../src/net/ffi/native.ts';
import { openDecapDevice } from '../../src/net/packet/decap/decap-device.ts';
import { PacketReader } from '../../src/net/packet/decap/packet-reader.ts';
import { address } from './core.ts';
import { inGre, inGue, isIpv6 } from './tunnel-packets.ts';

const MTU = 1400;
const GRE = 47;
const SOCK_RAW = 3;
/** System call of x86-64 and arm64. */
const SENDTO = { x64: 44, arm64: 206 }[process.arch as 'x64' | 'arm64'];
const GUE_PORT = 6080;

type Send = (bytes: Uint8Array) => void;

const [form = '', server = ''] = process.argv.slice(2);

const FORMS: Readonly<Record<string, () => Send>> = {
  ipip: () => byVersion((packet) => packet),
  'ipip-unfinished': () => byVersion(unfinished),
  gre: () => {
    const send = rawTo(GRE);
    return (packet) => send(inGre(packet));
  },
  'gre-fields': () => {
    const send = rawTo(GRE);
    let sequence = 0;
    return (packet) => send(inGre(packet, { checksum: true, key: 7, sequence: sequence++ }));
  },
  gue: () => udpTo(inGue),
  'gue-remcsum': () =>
    udpTo((packet) =>
      inGue(unfinished(packet), { remoteChecksum: [transportOf(packet), checksumOf(packet)] }),
    ),
};

if (form === 'empty') {
  for (const protocol of [4, 41, GRE]) sendEmpty(rawSocketTo(protocol));
  process.exit();
}
const send = FORMS[form]!();
const fd = openDecapDevice('enc0', MTU);
await PacketReader.open(
  fd,
  (bytes, length) => send(Uint8Array.from(bytes.subarray(0, length))),
  (code) => process.stderr.write(`enc0: ${code}\n`),
);
process.stdout.write('ready\n');

/** IPv4 and IPv6 packets have protocols of their own. */
function byVersion(change: (packet: Uint8Array) => Uint8Array): Send {
  const ipv4 = rawTo(4);
  const ipv6 = rawTo(41);
  return (packet) => (isIpv6(packet) ? ipv6 : ipv4)(change(packet));
}

function rawTo(protocol: number): Send {
  const socket = rawSocketTo(protocol);
  return (packet) => void writeSync(socket, packet);
}

/** @returns a descriptor of a connected socket */
function rawSocketTo(protocol: number): number {
  const { family } = address(server);
  const socket = native().syscall(native().calls.socket, family, SOCK_RAW, protocol);
  const bytes = addressBytes(address(server));
  const arena = native().arena(4096);
  arena.bytes.writeUInt16LE(family, 0);
  arena.bytes.set(bytes, bytes.length === 4 ? 4 : 8);
  const result = native().syscall(
    native().calls.connect,
    socket,
    arena.address,
    bytes.length === 4 ? 16 : 28,
  );
  if (result < 0) throw new Error(`connect: ${result}`);
  return socket;
}

function sendEmpty(socket: number): void {
  const result = native().syscall(SENDTO, socket, 0, 0, 0, 0, 0);
  if (result < 0) throw new Error(`send: ${result}`);
}

function udpTo(wrap: (packet: Uint8Array) => Uint8Array): Send {
  const socket = createSocket(server.includes(':') ? 'udp6' : 'udp4');
  return (packet) => socket.send(wrap(packet), GUE_PORT, server);
}

function transportOf(packet: Uint8Array): number {
  return isIpv6(packet) ? 40 : 20;
}

/** Where the checksum stands, from the packet's start. */
function checksumOf(packet: Uint8Array): number {
  return transportOf(packet) + (protocolOf(packet) === 17 ? 6 : 16);
}

const protocolOf = (packet: Uint8Array): number => packet[isIpv6(packet) ? 6 : 9]!;

/** Leaves only the sum of the pseudo header where the checksum belongs, as kernels do that count on hardware. */
function unfinished(packet: Uint8Array): Uint8Array {
  const protocol = protocolOf(packet);
  if (protocol !== 6 && protocol !== 17) return packet;
  const length = packet.length - transportOf(packet);
  const sum = isIpv6(packet) ? pseudoSum6(packet, 0, protocol, length) : pseudoSum4(packet, 0, length);
  const once = (sum & 0xffff) + Math.floor(sum / 0x10000);
  setU16(packet, checksumOf(packet), (once & 0xffff) + (once >>> 16));
  return packet;
}
