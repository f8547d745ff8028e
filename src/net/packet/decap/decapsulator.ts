import { closeSync, writeSync } from 'node:fs';
import { Decapsulation, ipv4Payload, UNWRAPPED, type Unwrapped } from '../../../forwarders/decapsulate.ts';
import { DeviceError, errnoText, negativeErrno } from '../../device-error.ts';
import { openDecapDevice } from './decap-device.ts';
import { PacketReader } from './packet-reader.ts';
import { openReceiver, type Reception } from './receiver.ts';
import { describeTunnel, type TunnelSpec } from './tunnel-list.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const FAMILIES = [AF_INET, AF_INET6] as const;

// IP protocol numbers.
const IPIP = 4;
const IPV6 = 41;
const GRE = 47;

/** Names of what unwrapping refuses, as counters show them. */
const REFUSALS: Readonly<Record<Unwrapped, string>> = {
  [UNWRAPPED.OK]: '',
  [UNWRAPPED.MALFORMED]: 'malformed',
  [UNWRAPPED.UNSUPPORTED]: 'unsupported',
  [UNWRAPPED.BAD_CHECKSUM]: 'bad_checksum',
  [UNWRAPPED.CONGESTED]: 'congested',
};

export interface DecapOptions {
  readonly tunnels: readonly TunnelSpec[];
  readonly device: string;
  /** Of the device, bytes. */
  readonly mtu: number;
}

/** One socket's way of unwrapping. */
interface Tunnel {
  readonly name: string;
  readonly reception: Reception;
  readonly unwrap: (bytes: Uint8Array, length: number) => Unwrapped;
}

/** A real server's end of tunnels: takes their packets from sockets and gives the inner ones to the host by a TUN. */
export class Decapsulator {
  /** Packets given to the host. */
  unwrapped = 0;
  /** Packets that were not, by reason: `malformed`, `bad_checksum` ..., or the errno's name with which the device refused. */
  readonly refused: Record<string, number> = {};
  /** Resolves with a line for people when a socket or the device is lost. */
  readonly lost: Promise<string>;
  private readonly decapsulation = new Decapsulation();
  private readonly readers: PacketReader[] = [];
  private device = -1;
  private reportLoss: (line: string) => void = () => {};

  private constructor() {
    this.lost = new Promise((resolve) => {
      this.reportLoss = resolve;
    });
  }

  /** @throws DeviceError, and nothing is left open then */
  static async open(options: DecapOptions): Promise<Decapsulator> {
    const made = new Decapsulator();
    try {
      const device = openDecapDevice(options.device, options.mtu);
      made.device = device;
      // What the host sends to the device leads nowhere; reading tells when the device is gone.
      await made.read(device, `device ${options.device}`, () => {});
      for (const spec of options.tunnels) await made.openTunnel(spec);
    } catch (error) {
      made.close();
      throw error;
    }
    return made;
  }

  /** Closes sockets and device, which is gone then. */
  close(): void {
    for (const reader of this.readers.splice(0)) reader.close();
  }

  /** A host may lack one family; a tunnel with none is refused. */
  private async openTunnel(spec: TunnelSpec): Promise<void> {
    let opened = 0;
    for (const family of FAMILIES) {
      for (const { name, reception, unwrap } of this.tunnels(spec, family)) {
        const fd = tryOpen(name, reception);
        if (fd < 0) continue;
        await this.read(fd, name, (bytes, length) => this.take(unwrap(bytes, length), bytes));
        opened++;
      }
    }
    if (opened === 0)
      throw new DeviceError(`receive ${describeTunnel(spec)}`, 'this host has neither IPv4 nor IPv6');
  }

  private async read(
    fd: number,
    name: string,
    onPacket: (bytes: Buffer, length: number) => void,
  ): Promise<void> {
    try {
      const reader = await PacketReader.open(fd, onPacket, (code) =>
        this.reportLoss(`${name} is lost: ${code}`),
      );
      this.readers.push(reader);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  private tunnels(spec: TunnelSpec, family: number): Tunnel[] {
    const d = this.decapsulation;
    const name = `${describeTunnel(spec)} over ${family === AF_INET ? 'IPv4' : 'IPv6'}`;
    if (spec.kind === 'gue') {
      const reception = { family, udpPort: spec.port };
      return [{ name, reception, unwrap: (bytes, length) => d.gue(bytes, 0, length) }];
    }
    const raw = (protocol: number, inner: Inner): Tunnel => ({
      name,
      reception: { family, protocol },
      unwrap:
        family === AF_INET
          ? (bytes, length) => this.behindIpv4(bytes, length, inner)
          : (bytes, length) => inner(bytes, 0, length),
    });
    if (spec.kind === 'gre') return [raw(GRE, (bytes, at, end) => d.gre(bytes, at, end))];
    return [
      raw(IPIP, (bytes, at, end) => d.ipip(bytes, at, end, 4)),
      raw(IPV6, (bytes, at, end) => d.ipip(bytes, at, end, 6)),
    ];
  }

  /** Raw sockets of IPv4 show the outer header, those of IPv6 don't. */
  private behindIpv4(bytes: Uint8Array, length: number, inner: Inner): Unwrapped {
    const at = ipv4Payload(bytes, 0, length);
    if (at < 0) return UNWRAPPED.MALFORMED;
    const result = inner(bytes, at, length);
    return result === UNWRAPPED.OK ? this.decapsulation.carryCongestion(bytes[1]!) : result;
  }

  private take(result: Unwrapped, bytes: Buffer): void {
    if (result !== UNWRAPPED.OK) {
      this.count(REFUSALS[result]);
      return;
    }
    try {
      writeSync(this.device, bytes, this.decapsulation.at, this.decapsulation.length);
      this.unwrapped++;
    } catch (error) {
      this.count(errnoText(-negativeErrno(error)));
    }
  }

  private count(reason: string): void {
    this.refused[reason] = (this.refused[reason] ?? 0) + 1;
  }
}

type Inner = (bytes: Uint8Array, at: number, end: number) => Unwrapped;

/** @returns -1 if this host lacks the family @throws DeviceError */
function tryOpen(name: string, reception: Reception): number {
  try {
    return openReceiver(reception);
  } catch (error) {
    if (!(error instanceof DeviceError)) throw error;
    if (error.code === 'EAFNOSUPPORT') return -1;
    throw new DeviceError(`receive ${name}`, error.message, HELP[error.code]);
  }
}

const HELP: Readonly<Record<string, string>> = {
  EPERM: 'needs CAP_NET_RAW and CAP_NET_ADMIN',
  EADDRINUSE: 'another program, or the kernel itself, has the port',
};
