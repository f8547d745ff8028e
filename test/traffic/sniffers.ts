import { setTimeout as sleep } from 'node:timers/promises';
import type { SniffedPacket } from '../replay/step.ts';
import type { Namespace } from './namespace.ts';
import { PacketSocket } from './sockets.ts';

const DEVICE = 'eth0';
const ETHER_TYPE = { IPV4: 0x0800, IPV6: 0x86dd } as const;
const HOP_BY_HOP = 0;
const IGMP = 2;
const UDP = 17;
const ICMPV6 = 58;
/** Echo reply; what has greater types is about neighbours and groups. */
const LAST_ICMPV6 = 129;

/** Packets under way get so long to arrive. */
const SETTLE_MS = 100;
/** Synchronisation messages leave two to three seconds after their cause: the last may be late. */
const LATE_MS = 1500;
const STEP_MS = 50;

/** Records what namespaces see. */
export class Sniffers {
  private readonly sockets = new Map<string, PacketSocket>();
  private readonly captures = new Map<string, { readonly socket: PacketSocket; readonly port: number }>();

  sniff(namespace: Namespace): void {
    this.sockets.set(namespace.name, openIn(namespace));
  }

  async sniffed(namespace: Namespace): Promise<SniffedPacket[]> {
    await sleep(SETTLE_MS);
    const socket = take(this.sockets, namespace.name);
    const found: SniffedPacket[] = [];
    for (const { etherType, isOutgoing, bytes } of allOf(socket)) {
      if (isPacket(etherType, bytes))
        found.push({ dir: isOutgoing ? 'out' : 'in', hex: bytes.toString('hex') });
    }
    socket.close();
    return found;
  }

  /** Records datagrams that arrive for one UDP port. */
  capture(namespace: Namespace, port: number): void {
    this.captures.set(namespace.name, { socket: openIn(namespace), port });
  }

  /** @returns payloads */
  async captured(namespace: Namespace): Promise<string[]> {
    const { socket, port } = take(this.captures, namespace.name);
    const found: string[] = [];
    for (let waitedMs = 0; found.length === 0 && waitedMs <= LATE_MS; waitedMs += STEP_MS) {
      if (waitedMs > 0) await sleep(STEP_MS);
      for (const { etherType, isOutgoing, bytes } of allOf(socket)) {
        const at = isOutgoing ? -1 : udpAt(etherType, bytes);
        if (at >= 0 && bytes.readUInt16BE(at + 2) === port) found.push(bytes.toString('hex', at + 8));
      }
    }
    socket.close();
    return found;
  }
}

const openIn = (namespace: Namespace): PacketSocket => namespace.inside(() => new PacketSocket(DEVICE));

function take<Value>(values: Map<string, Value>, name: string): Value {
  const value = values.get(name);
  if (value === undefined) throw new Error(`nothing is recorded in ${name}`);
  values.delete(name);
  return value;
}

function* allOf(socket: PacketSocket) {
  for (let packet = socket.next(); packet !== undefined; packet = socket.next()) yield packet;
}

function isPacket(etherType: number, bytes: Buffer): boolean {
  if (etherType === ETHER_TYPE.IPV4) return bytes[9] !== IGMP;
  const [next, type] = [bytes[6], bytes[40] ?? 0];
  return etherType === ETHER_TYPE.IPV6 && next !== HOP_BY_HOP && !(next === ICMPV6 && type > LAST_ICMPV6);
}

/** @returns where the UDP header starts, -1 if there is none */
function udpAt(etherType: number, bytes: Buffer): number {
  if (etherType === ETHER_TYPE.IPV6) return bytes[6] === UDP ? 40 : -1;
  const isFirst = (bytes.readUInt16BE(6) & 0x1fff) === 0;
  return etherType === ETHER_TYPE.IPV4 && bytes[9] === UDP && isFirst ? (bytes[0]! & 15) * 4 : -1;
}
