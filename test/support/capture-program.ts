import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import {
  type Address,
  AF_INET,
  AF_INET6,
  addressFromBytes,
  formatAddress,
  parseAddress,
} from '../../src/core/address.ts';
import type { Endpoint } from '../../src/net/packet/capture-list.ts';
import { FdStream } from '../../src/net/packet/fd-stream.ts';
import { HostState } from '../../src/net/packet/host-state/host-state.ts';
import { openTun } from '../../src/net/packet/tun.ts';

/**
 * A director without services: tells each captured packet on its standard output, as a line of JSON, and writes it back
 * unchanged. Takes commands on its standard input, `NAME ARGUMENT` a line, and answers each with one line.
 */

const LONGEST_PACKET = 65_536;
/** More than any test sends in a row. */
const QUEUE_LENGTH = 4000;

/** What is to be captured, addresses as text. */
export interface TextWish {
  readonly virtual: readonly TextEndpoint[];
  readonly servers: readonly TextEndpoint[];
  readonly marks?: readonly number[];
}

type TextEndpoint = readonly [protocol: number, address: string, port: number];

export interface SeenPacket {
  readonly device: string;
  readonly src: string;
  readonly dst: string;
  readonly protocol: number;
  readonly lengthBytes: number;
  readonly ttl: number;
  /** 0 where there is no transport header; type and code for ICMP. */
  readonly sport: number;
  readonly dport: number;
  readonly isFragment: boolean;
  /** Whether the sum over the header of IPv4 is right. */
  readonly isHeaderSumRight: boolean;
}

function openDevice(device: string): FdStream {
  const { fd } = openTun({ name: device, vnetHeader: false, queueLength: QUEUE_LENGTH, up: true });
  const buffer = Buffer.alloc(LONGEST_PACKET);
  return new FdStream(fd, {
    buffer,
    onRead: (length) => {
      const packet = buffer.subarray(0, length);
      say({ packet: describe(device, packet) });
      writeSync(fd, packet);
    },
    onLost: (code) => say({ lost: code }),
  });
}

function describe(device: string, packet: Buffer): SeenPacket {
  const isV4 = packet[0]! >> 4 === 4;
  const address = (at: number): string =>
    formatAddress(addressFromBytes(isV4 ? AF_INET : AF_INET6, packet, at));
  const transport = isV4 ? (packet[0]! & 15) * 4 : 40;
  const isLater = isV4 && (packet.readUInt16BE(6) & 0x1fff) !== 0;
  const port = (at: number): number => (isLater ? 0 : packet.readUInt16BE(transport + at));
  let sum = 0;
  for (let at = 0; isV4 && at < transport; at += 2) sum += packet.readUInt16BE(at);
  return {
    device,
    src: address(isV4 ? 12 : 8),
    dst: address(isV4 ? 16 : 24),
    protocol: packet[isV4 ? 9 : 6]!,
    lengthBytes: packet.length,
    ttl: packet[isV4 ? 8 : 7]!,
    sport: port(0),
    dport: port(2),
    isFragment: isLater,
    isHeaderSumRight: !isV4 || sum % 0xffff === 0,
  };
}

function endpoint([protocol, text, port]: TextEndpoint): Endpoint {
  const addr: Address = parseAddress(text)!;
  return { family: addr.family, protocol, addr, port };
}

async function obey(state: HostState, verb: string, argument: string): Promise<unknown> {
  switch (verb) {
    case 'capture': {
      const { virtual, servers, marks = [] }: TextWish = JSON.parse(argument);
      await state.capture({
        virtual: virtual.map(endpoint),
        servers: servers.map(endpoint),
        marks: marks.map((fwmark) => ({ family: AF_INET, fwmark })),
      });
      return 'done';
    }
    case 'device':
      readers.push(openDevice(argument));
      await state.addDevice(argument);
      return 'done';
    case 'list':
      return state.list();
    case 'way':
      return state.captureWay;
    case 'problems':
      return state.problems();
    case 'route': {
      const { type, device, gateway, source, mtu } = state.routes.find(parseAddress(argument)!);
      const texts = { gateway: gateway && formatAddress(gateway), source: source && formatAddress(source) };
      return { type, device, ...texts, mtu };
    }
    case 'close':
      await state.close();
      for (const reader of readers) await reader.close();
      process.exit(0);
  }
  throw new Error(`no such command: ${verb}`);
}

const say = (value: unknown): void => {
  writeSync(1, `${JSON.stringify(value)}\n`);
};

const readers = [openDevice('uipvs0')];
const args = process.argv.slice(2);
const state = await HostState.open({
  isTracked: args.includes('tracked'),
  capture: args.includes('tcx') ? 'tcx' : args.includes('auto') ? 'auto' : 'nft',
  log: (line) => say({ log: line }),
});
say({ ready: state.swept });
for await (const line of createInterface({ input: process.stdin })) {
  const [verb = '', ...rest] = line.split(' ');
  say({ answer: await obey(state, verb, rest.join(' ')) });
}
