import { PROTOCOL } from '../../src/core/config.ts';
import type { Flow, Target } from '../../src/core/flow.ts';
import { i32, u16 } from '../../src/core/wire/bytes.ts';
import { TCP_FLAG } from '../../src/core/wire/tcp.ts';

/*
 * The plain way to keep connections: an object for each in a Map by a text key, once by the client's tuple and once by
 * the server's, so that one look-up serves both directions. It does for a segment what the core does: check the headers,
 * find the entry, move its state, restart its timer, count for server, service and director.
 */
interface Counts {
  inPackets: number;
  inBytes: number;
  outPackets: number;
  outBytes: number;
}

interface Entry {
  readonly flow: Flow;
  readonly target: Target;
  state: string;
  timeoutMs: number;
  expiresAt: number;
  packets: number;
  readonly counts: readonly Counts[];
}

interface Found {
  readonly entry: Entry;
  readonly isReply: boolean;
}

const IPV4_HEADER_LEN = 20;
const TCP_HEADER_LEN = 20;
const FRAGMENT = 0x3fff;

const TIMEOUTS_MS: Readonly<Record<string, number>> = {
  SYN_RECV: 60_000,
  ESTABLISHED: 900_000,
  FIN_WAIT: 120_000,
  CLOSE: 10_000,
};
const NEXT: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  SYN: { SYN_RECV: 'SYN_RECV', ESTABLISHED: 'ESTABLISHED' },
  ACK: { SYN_RECV: 'ESTABLISHED', ESTABLISHED: 'ESTABLISHED', FIN_WAIT: 'FIN_WAIT' },
  FIN: { ESTABLISHED: 'FIN_WAIT' },
  RST: { SYN_RECV: 'CLOSE', ESTABLISHED: 'CLOSE', FIN_WAIT: 'CLOSE' },
};

export class MapRival {
  private readonly entries = new Map<string, Found>();
  private readonly counts: readonly Counts[] = [0, 1, 2].map(() => ({
    inPackets: 0,
    inBytes: 0,
    outPackets: 0,
    outBytes: 0,
  }));

  open(flow: Flow, target: Target, now: number): void {
    const { protocol, caddr, cport, vaddr, vport } = flow;
    const client = caddr.words[0];
    const entry: Entry = {
      flow,
      target,
      state: 'ESTABLISHED',
      timeoutMs: 900_000,
      expiresAt: now + 900_000,
      packets: 1,
      counts: this.counts,
    };
    this.entries.set(keyOf(protocol, client, cport, vaddr.words[0], vport), { entry, isReply: false });
    this.entries.set(keyOf(protocol, target.daddr.words[0], target.dport, client, cport), {
      entry,
      isReply: true,
    });
  }

  /** @returns whether an entry takes the packet */
  packet(b: Uint8Array, at: number, length: number, now: number): boolean {
    const tcp = at + (b[at]! & 15) * 4;
    const bytes = u16(b, at + 2);
    if (b[at]! >>> 4 !== 4 || tcp < at + IPV4_HEADER_LEN || bytes > length) return false;
    if ((u16(b, at + 6) & FRAGMENT) !== 0 || b[at + 9] !== PROTOCOL.TCP) return false;
    if (tcp + TCP_HEADER_LEN > at + bytes) return false;
    const key = keyOf(PROTOCOL.TCP, i32(b, at + 12), u16(b, tcp), i32(b, at + 16), u16(b, tcp + 2));
    const found = this.entries.get(key);
    if (!found) return false;
    const { entry, isReply } = found;
    entry.state = NEXT[eventOf(b[tcp + 13]!)]?.[entry.state] ?? entry.state;
    entry.timeoutMs = TIMEOUTS_MS[entry.state] ?? entry.timeoutMs;
    entry.expiresAt = now + entry.timeoutMs;
    if (!isReply) entry.packets++;
    for (const count of entry.counts) {
      if (isReply) {
        count.outPackets++;
        count.outBytes += bytes;
      } else {
        count.inPackets++;
        count.inBytes += bytes;
      }
    }
    return true;
  }
}

function eventOf(flags: number): string {
  if ((flags & TCP_FLAG.RST) !== 0) return 'RST';
  if ((flags & TCP_FLAG.SYN) !== 0) return 'SYN';
  return (flags & TCP_FLAG.FIN) !== 0 ? 'FIN' : 'ACK';
}

const keyOf = (protocol: number, src: number, sport: number, dst: number, dport: number): string =>
  `${protocol} ${src}:${sport}>${dst}:${dport}`;
