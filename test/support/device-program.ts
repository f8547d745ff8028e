import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { MessageChannel } from 'node:worker_threads';
import {
  AF_INET,
  AF_INET6,
  addressBytes,
  addressFromBytes,
  type Family,
  formatAddress,
  parseAddress,
} from '../../src/core/address.ts';
import { errnoText } from '../../src/net/device-error.ts';
import { native } from '../../src/net/ffi/native.ts';
import { PacketDevice } from '../../src/net/packet/device.ts';
import type { DeviceHandler, Drain, IoTier } from '../../src/net/packet/drain.ts';
import { createDrain } from '../../src/net/packet/io-tier.ts';
import { RawSender } from '../../src/net/packet/raw-sender.ts';
import { openTun } from '../../src/net/packet/tun.ts';

/**
 * Runs one scenario over a TUN device and says what happened as one line of JSON. The device swaps the addresses of each
 * packet, which changes no checksum: what HERE sends to THERE comes back to HERE as if THERE had sent it.
 */
const HERE = '10.77.0.1';
const THERE = '10.77.0.2';
const HERE6 = 'fd77::1';
const THERE6 = 'fd77::2';
const DEVICE = 'uipvs-test';

/** What the test says, a line each; none is missed when several come at once. */
const words = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Swaps source and destination of unicast packets and keeps what it saw. */
class Mirror implements DeviceHandler {
  largest = 0;
  superPackets = 0;
  batches = 0;
  /** Called for each packet that is written back. */
  extra: ((bytes: Uint8Array, at: number, length: number) => void) | undefined;

  packet(bytes: Uint8Array, at: number, length: number): number {
    const isV4 = bytes[at]! >> 4 === 4;
    const [source, size] = isV4 ? [at + 12, 4] : [at + 8, 16];
    const isMulticast = isV4 ? bytes[at + 16]! >= 224 : bytes[at + 24] === 0xff;
    if (isMulticast) return 0;
    this.largest = Math.max(this.largest, length);
    if (bytes[at - 9] !== 0) this.superPackets++;
    for (let i = source; i < source + size; i++) {
      const byte = bytes[i]!;
      bytes[i] = bytes[i + size]!;
      bytes[i + size] = byte;
    }
    this.extra?.(bytes, at, length);
    return length;
  }

  batchEnd(): void {
    this.batches++;
  }
}

interface Bed {
  readonly drain: Drain;
  readonly device: PacketDevice;
  readonly mirror: Mirror;
  readonly lost: string[];
}

function open(tier: IoTier, mtu = 1500): Bed {
  const drain = createDrain(tier);
  const mirror = new Mirror();
  const lost: string[] = [];
  const onLost = (code: string): void => void lost.push(code);
  const device = new PacketDevice({ name: DEVICE, drain, handler: mirror, onLost, mtu, up: true });
  return { drain, device, mirror, lost };
}

/** Waits until the test has given the device its addresses. */
async function ready(): Promise<void> {
  process.stdout.write('ready\n');
  await words.next();
}

async function bind(port: number, type: 'udp4' | 'udp6' = 'udp4'): Promise<UdpSocket> {
  const socket = createSocket({ type, recvBufferSize: 1 << 22 });
  socket.bind(port, type === 'udp4' ? HERE : HERE6);
  await once(socket, 'listening');
  return socket;
}

/** A datagram that says its number and is filled with what follows from it. */
function numbered(number: number): Buffer {
  const bytes = Buffer.alloc(4 + ((number * 37) % 1400), number & 255);
  bytes.writeUInt32BE(number, 0);
  return bytes;
}

const SCENARIOS: Readonly<Record<string, (tier: IoTier) => Promise<object>>> = {
  /** Numbered datagrams in flocks; the device sends an extra copy of each before it if `double`. */
  order: (tier) => order(tier, false),
  double: (tier) => order(tier, true),
  tcp,
  superDatagram,
  serve,
  lost,
  down,
  closeWithin,
  descriptors,
  name,
  timers,
  raw,
  renumbered,
};

async function order(tier: IoTier, isDoubled: boolean): Promise<object> {
  const { device, mirror, drain } = open(tier);
  await ready();
  const [total, flock, copies] = [10_000, 50, isDoubled ? 2 : 1];
  if (isDoubled) mirror.extra = (bytes, at, length) => device.send(bytes, at, length);
  const receiver = await bind(5000);
  const sender = await bind(5001);
  let received = 0;
  let wrong = 0;
  receiver.on('message', (message) => {
    if (!message.equals(numbered(Math.floor(received / copies)))) wrong++;
    received++;
  });
  for (let number = 0; number < total; number++) {
    sender.send(numbered(number), 5000, THERE);
    const expected = (number + 1) * copies;
    const end = Date.now() + 2000;
    while ((number + 1) % flock === 0 && received < expected && Date.now() < end) await nextTurn();
  }
  receiver.close();
  sender.close();
  await device.close();
  drain.close();
  const { reads, writes, batches } = device.counters;
  return { received, wrong, reads, writes, batches, errors: device.counters.writeErrors() };
}

async function tcp(tier: IoTier): Promise<object> {
  const { device, mirror, drain } = open(tier);
  await ready();
  const total = 20_000_000;
  let received = 0;
  let wrong = 0;
  const server = createServer((socket) => {
    socket.on('data', (chunk) => {
      for (let i = 0; i < chunk.length; i += 997) if (chunk[i] !== (received + i) % 251) wrong++;
      received += chunk.length;
    });
    socket.on('end', () => socket.end());
  }).listen(80, HERE);
  await once(server, 'listening');
  const pattern = Buffer.alloc(251 * 4000, Buffer.from(Array.from({ length: 251 }, (_, i) => i)));
  const client = connect(80, THERE);
  client.resume();
  await once(client, 'connect');
  for (let sent = 0; sent < total; sent += pattern.length) {
    if (!client.write(pattern.subarray(0, total - sent))) await once(client, 'drain');
  }
  client.end();
  await once(client, 'close');
  server.close();
  await device.close();
  drain.close();
  return { received, wrong, largest: mirror.largest, superPackets: mirror.superPackets };
}

/** One send of 9000 bytes that the kernel is asked to cut into datagrams of 1000: a super-packet of UDP. */
async function superDatagram(tier: IoTier): Promise<object> {
  const { device, mirror, drain } = open(tier, 65_535);
  await ready();
  const receiver = await bind(5000, 'udp6');
  const sender = await bind(5001, 'udp6');
  const sizes: number[] = [];
  receiver.on('message', (message) => sizes.push(message.length));
  sender.send(Buffer.alloc(9000, 1), 5000, THERE6);
  while (sizes.length < 1) await nextTurn();
  const memory = native().arena(4);
  memory.view.setInt32(0, 1000, true);
  const [SOL_UDP, UDP_SEGMENT] = [17, 103];
  const fd: unknown = Reflect.get(Reflect.get(sender, '_handle') ?? sender, 'fd');
  const { calls } = native();
  const set = native().syscall(calls.setsockopt, Number(fd), SOL_UDP, UDP_SEGMENT, memory.address, 4);
  sender.send(Buffer.alloc(9000, 2), 5000, THERE6);
  const end = Date.now() + 2000;
  while (sizes.length < 10 && Date.now() < end) await nextTurn();
  receiver.close();
  sender.close();
  await device.close();
  drain.close();
  return { set, sizes, superPackets: mirror.superPackets, offloads: device.offloads };
}

/** Mirrors what others send until standard input speaks again. */
async function serve(tier: IoTier): Promise<object> {
  const { device, mirror, drain } = open(tier);
  await ready();
  await words.next();
  await device.close();
  drain.close();
  const { reads, writes } = device.counters;
  const { counters } = device;
  const errors = { ...counters.readErrors(), ...counters.writeErrors() };
  return { reads, writes, batches: mirror.batches, errors };
}

/** The test deletes the device. */
async function lost(tier: IoTier): Promise<object> {
  const { device, drain, lost } = open(tier);
  await ready();
  await sleep(100);
  device.send(new Uint8Array(200), 128, 40);
  await device.close();
  drain.close();
  return { lost };
}

/** A packet is written while the device is down. */
async function down(tier: IoTier): Promise<object> {
  const drain = createDrain(tier);
  const lost: string[] = [];
  const onLost = (code: string): void => void lost.push(code);
  const device = new PacketDevice({ name: DEVICE, drain, handler: new Mirror(), onLost });
  const bytes = new Uint8Array(200);
  bytes[128] = 0x45;
  device.send(bytes, 128, 20);
  bytes[128 - 9] = 0x7f;
  device.send(bytes, 128, 20);
  await device.close();
  drain.close();
  return { lost, errors: device.counters.writeErrors() };
}

/** The handler closes its device, and opens what takes the free descriptor. */
async function closeWithin(tier: IoTier): Promise<object> {
  const { device, mirror, lost, drain } = open(tier);
  await ready();
  let closing: Promise<void> | undefined;
  mirror.extra = () => {
    closing ??= device.close();
  };
  const sender = await bind(5001);
  for (let i = 0; i < 20; i++) sender.send('x', 5000, THERE);
  while (closing === undefined) await nextTurn();
  await closing;
  sender.close();
  drain.close();
  return { lost, reads: device.counters.reads, writes: device.counters.writes };
}

async function descriptors(tier: IoTier): Promise<object> {
  const cycle = async (): Promise<void> => {
    const { device, drain } = open(tier);
    await device.close();
    drain.close();
  };
  await cycle();
  const before = countDescriptors();
  for (let i = 0; i < 20; i++) await cycle();
  return { more: countDescriptors() - before };
}

const countDescriptors = (): number => readdirSync('/proc/self/fd').length;

/** What is said about names that cannot be had. */
async function name(tier: IoTier): Promise<object> {
  const { device, drain } = open(tier);
  const errors = [DEVICE, 'a/b', 'a-name-that-is-too-long'].map((name) => {
    try {
      openTun({ name, vnetHeader: true });
      return 'opened';
    } catch (error) {
      return String(error);
    }
  });
  await device.close();
  drain.close();
  return { errors };
}

/** Datagrams come faster than they are handled; timers of 1 ms and messages tell how long the loop's other work waits. */
async function timers(tier: IoTier): Promise<object> {
  const { device, mirror, drain } = open(tier);
  await ready();
  mirror.extra = () => {
    const end = process.hrtime.bigint() + 20_000n;
    while (process.hrtime.bigint() < end);
  };
  while (device.counters.reads < 1000) await sleep(1);
  const late: number[] = [];
  const told: number[] = [];
  const { port1, port2 } = new MessageChannel();
  for (let i = 0; i < 100; i++) {
    const start = performance.now();
    await sleep(1);
    const middle = performance.now();
    const message = once(port2, 'message');
    port1.postMessage(i);
    await message;
    late.push(middle - start);
    told.push(performance.now() - middle);
  }
  port1.close();
  await device.close();
  drain.close();
  return { reads: device.counters.reads, late: late.sort((a, b) => a - b), told: told.sort((a, b) => a - b) };
}

/** Raw sockets send to addresses behind the device, which shows what comes. */
async function raw(): Promise<object> {
  const { device, mirror, drain } = open('sync');
  await ready();
  const seen: object[] = [];
  mirror.extra = (bytes, at, length) => {
    if (bytes[at + 8] === 7 || bytes[at + 7] === 7) seen.push(describePacket(bytes, at, length));
  };
  const before = countDescriptors();
  const sender = new RawSender({ mark: 7, sockets: 2 });
  const [v4, v6] = [packetOf(AF_INET, 28), packetOf(AF_INET6, 48)];
  const send = (to: string, bytes: Uint8Array, by = sender): number | string => {
    const result = by.send(parseAddress(to)!, bytes, 0, bytes.length);
    return result < 0 ? errnoText(-result) : result;
  };
  const sent = { v4: send('10.77.0.5', v4), v6: send('fd77::5', v6) };
  const tooLong = [send('10.77.0.5', packetOf(AF_INET, 1501)), send('fd77::5', packetOf(AF_INET6, 1501))];
  const withoutRoute = send('203.0.113.1', v4);
  send('198.51.100.9', v4);
  const other = new RawSender({ mark: 8 });
  const markedOtherwise = send('198.51.100.9', v4, other);
  other.close();
  const end = Date.now() + 1000;
  while (seen.length < 3 && Date.now() < end) await nextTurn();
  const sockets = sender.size;
  const descriptors = countDescriptors() - before;
  sender.close();
  const left = countDescriptors() - before;
  await device.close();
  drain.close();
  return { sent, seen, tooLong, withoutRoute, markedOtherwise, sockets, descriptors, left };
}

/** The host's address changes while a socket is connected. */
async function renumbered(): Promise<object> {
  const { device, drain } = open('sync');
  await ready();
  const sender = new RawSender({ mark: 7 });
  const send = (): number => sender.send(parseAddress('10.77.0.5')!, packetOf(AF_INET, 28), 0, 28);
  process.stdout.write(`${send()}\n`);
  await words.next();
  const sizes = [send(), send(), send()];
  sender.close();
  await device.close();
  drain.close();
  return sizes;
}

/** A UDP packet between addresses that are nobody's here, TTL 7, with a payload of letters. */
function packetOf(family: Family, length: number): Uint8Array {
  const [from, to] = family === AF_INET ? ['10.9.9.9', '192.0.2.1'] : ['fd99::9', '2001:db8::1'];
  const bytes = new Uint8Array(length);
  const isV4 = family === AF_INET;
  if (isV4) bytes.set([0x45, 0, length >> 8, length & 255, 0x12, 0x34, 0, 0, 7, 17]);
  else bytes.set([0x60, 0, 0, 0, (length - 40) >> 8, (length - 40) & 255, 17, 7]);
  const [source, size] = isV4 ? [12, 4] : [8, 16];
  bytes.set(addressBytes(parseAddress(from!)!), source);
  bytes.set(addressBytes(parseAddress(to!)!), source + size);
  for (let i = isV4 ? 20 : 40; i < length; i++) bytes[i] = 97 + ((i - (isV4 ? 20 : 40)) % 26);
  return bytes;
}

/** The addresses are swapped: the mirror has been at it. */
function describePacket(bytes: Uint8Array, at: number, length: number): object {
  const isV4 = bytes[at]! >> 4 === 4;
  const family = isV4 ? AF_INET : AF_INET6;
  const [source, size, ttl] = isV4 ? [12, 4, 8] : [8, 16, 7];
  return {
    from: formatAddress(addressFromBytes(family, bytes, at + source + size)),
    to: formatAddress(addressFromBytes(family, bytes, at + source)),
    ttl: bytes[at + ttl],
    id: isV4 ? (bytes[at + 4]! << 8) | bytes[at + 5]! : 0,
    payload: Buffer.from(bytes.subarray(at + (isV4 ? 20 : 40), at + length)).toString('latin1'),
  };
}

const [scenario = '', tier = ''] = process.argv.slice(2);
const result = await SCENARIOS[scenario]!(tier === 'uring' ? 'uring' : 'sync');
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exit(0);
