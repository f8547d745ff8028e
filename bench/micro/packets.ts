import type { Flow, Target } from '../../src/core/flow.ts';
import { HOOK, type Hook, VERDICT } from '../../src/core/verdict.ts';
import { TCP_FLAG } from '../../src/core/wire/tcp.ts';
import { seededRandom } from '../../test/support/core.ts';
import type { Figure } from '../figures.ts';
import { MapRival } from './map-rival.ts';
import { nanoseconds } from './measure.ts';
import { directorWith, flowOf, segmentOf } from './tables.ts';

const SEED = 20_261_122;
const ENTRIES = 100_000;
const BATCH = 4096;
/** Both sides are measured in turn, so often; the least median counts: what else the machine does only adds. */
const ROUNDS = 9;
const MOST_NS = 400;
/** Of the rival's time. */
const MOST_SHARE = 1 / 3;

type Director = ReturnType<typeof directorWith>['director'];

/** One packet of an established connection through the core, and the same packets through the rival. */
export async function packetFigures(): Promise<Figure[]> {
  const { director, service } = directorWith('rr', 10, ENTRIES * 2);
  const rival = new MapRival();
  const flows = Array.from({ length: ENTRIES }, (_, n) => flowOf(service, n));
  const targets = flows.map((flow) => {
    const target = establish(director, flow);
    rival.open(flow, target, 0);
    return target;
  });
  const random = seededRandom(SEED);
  const picks = Array.from({ length: BATCH }, () => Math.floor(random() * ENTRIES));
  const requests = picks.map((n) => requestOf(flows[n]!, TCP_FLAG.ACK));
  const replies = picks.map((n) => replyOf(flows[n]!, targets[n]!, TCP_FLAG.ACK));
  return [
    ...(await compare("a client's packet", director, rival, requests, HOOK.LOCAL_IN, VERDICT.TRANSMIT)),
    ...(await compare("a server's packet", director, rival, replies, HOOK.FORWARD, VERDICT.REPLY)),
  ];
}

const requestOf = ({ caddr, cport, vaddr, vport }: Flow, flags: number): Uint8Array =>
  segmentOf(caddr, cport, vaddr, vport, flags);

const replyOf = ({ caddr, cport }: Flow, { daddr, dport }: Target, flags: number): Uint8Array =>
  segmentOf(daddr, dport, caddr, cport, flags);

/** The handshake. @returns where the connection goes */
function establish(director: Director, flow: Flow): Target {
  const pass = (packet: Uint8Array, hook: Hook): number =>
    director.packet(packet, 0, packet.length, hook, 0, 0);
  pass(requestOf(flow, TCP_FLAG.SYN), HOOK.LOCAL_IN);
  const target = director.target(director.packetConn);
  pass(replyOf(flow, target, TCP_FLAG.SYN | TCP_FLAG.ACK), HOOK.FORWARD);
  pass(requestOf(flow, TCP_FLAG.ACK), HOOK.LOCAL_IN);
  return target;
}

async function compare(
  what: string,
  director: Director,
  rival: MapRival,
  packets: readonly Uint8Array[],
  hook: Hook,
  expected: number,
): Promise<Figure[]> {
  const { length } = packets[0]!;
  // As a device gives them: one after the other in one buffer.
  const batch = new Uint8Array(packets.length * length);
  for (const [n, packet] of packets.entries()) {
    batch.set(packet, n * length);
    const verdict = director.packet(batch, n * length, length, hook, 0, 1);
    if (verdict !== expected || !rival.packet(batch, n * length, length, 1))
      throw new Error(`verdict ${verdict}`);
  }
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    ours.push(
      await nanoseconds(packets.length, () => {
        for (let at = 0; at < batch.length; at += length) director.packet(batch, at, length, hook, 0, 1);
      }),
    );
    theirs.push(
      await nanoseconds(packets.length, () => {
        for (let at = 0; at < batch.length; at += length) rival.packet(batch, at, length, 1);
      }),
    );
  }
  const table = '100,000 established entries';
  return [
    { what: `${what}, ${table}`, value: Math.min(...ours), unit: 'ns', limit: MOST_NS },
    {
      what: `${what}, ${table}, against objects in a Map`,
      value: Math.min(...ours) / Math.min(...theirs),
      unit: 'x',
      limit: MOST_SHARE,
    },
  ];
}
