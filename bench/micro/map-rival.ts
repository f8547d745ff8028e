/*
 * The plain way to keep connections: an object for each in a Map by a text key. It does for an established segment what
 * the core does: find the entry, move its state, restart its timer, count for server, service and director.
 */
interface Counts {
  packets: number;
  bytes: number;
}

interface Entry {
  readonly caddr: number;
  readonly cport: number;
  readonly vaddr: number;
  readonly vport: number;
  readonly daddr: number;
  readonly dport: number;
  state: string;
  timeoutMs: number;
  expiresAt: number;
  packets: number;
  readonly counts: readonly Counts[];
}

const TIMEOUTS_MS: Readonly<Record<string, number>> = {
  ESTABLISHED: 900_000,
  FIN_WAIT: 120_000,
  CLOSE: 10_000,
};
const NEXT: Readonly<Record<string, string>> = { SYN_RECV: 'ESTABLISHED', ESTABLISHED: 'ESTABLISHED' };

export class MapRival {
  private readonly entries = new Map<string, Entry>();
  private readonly counts: readonly Counts[] = [0, 1, 2].map(() => ({ packets: 0, bytes: 0 }));

  get size(): number {
    return this.entries.size;
  }

  open(caddr: number, cport: number, vaddr: number, vport: number, now: number): void {
    this.entries.set(keyOf(caddr, cport, vaddr, vport), {
      caddr,
      cport,
      vaddr,
      vport,
      daddr: 0x0a020001,
      dport: 8080,
      state: 'ESTABLISHED',
      timeoutMs: 900_000,
      expiresAt: now + 900_000,
      packets: 1,
      counts: this.counts,
    });
  }

  packet(bytes: Uint8Array, ip: number, now: number): boolean {
    const view = new DataView(bytes.buffer, bytes.byteOffset + ip);
    const tcp = (view.getUint8(0) & 15) * 4;
    const key = keyOf(view.getInt32(12), view.getUint16(tcp), view.getInt32(16), view.getUint16(tcp + 2));
    const entry = this.entries.get(key);
    if (!entry) return false;
    entry.state = NEXT[entry.state] ?? entry.state;
    entry.timeoutMs = TIMEOUTS_MS[entry.state] ?? entry.timeoutMs;
    entry.expiresAt = now + entry.timeoutMs;
    entry.packets++;
    for (const count of entry.counts) {
      count.packets++;
      count.bytes += view.getUint16(2);
    }
    return true;
  }
}

const keyOf = (caddr: number, cport: number, vaddr: number, vport: number): string =>
  `${caddr}:${cport}>${vaddr}:${vport}`;
