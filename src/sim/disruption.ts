import { NONE } from './jobs.ts';
import type { ChurnResult } from './results.ts';
import type { Server } from './servers.ts';

/** Of its fair share, what a new server must have to count as absorbed. */
const ABSORBED = 0.9;

interface Event {
  readonly atMs: number;
  readonly event: string;
  /** The server that was added, or NONE. */
  readonly added: number;
  returned: number;
  moved: number;
  forced: number;
  absorbedMs: number;
}

/** Follows which server each client was sent to last, and how that changes with each event of the churn. */
export class Disruption {
  private readonly servers: readonly Server[];
  private readonly weights: ArrayLike<number>;
  private readonly lastServer: Int32Array;
  /** Number of events that there were when the client was seen last. */
  private readonly lastSeen: Int32Array;
  private readonly events: Event[] = [];

  constructor(clients: number, servers: readonly Server[], weights: ArrayLike<number>) {
    this.servers = servers;
    this.weights = weights;
    this.lastServer = new Int32Array(clients).fill(NONE);
    this.lastSeen = new Int32Array(clients);
  }

  begin(atMs: number, event: string, added: number): void {
    this.events.push({ atMs, event, added, returned: 0, moved: 0, forced: 0, absorbedMs: Number.NaN });
  }

  /** A client was sent to a server, which has counted the connection. */
  placed(client: number, server: number, now: number): void {
    const last = this.lastServer[client]!;
    this.lastServer[client] = server;
    const count = this.events.length;
    if (count === 0) return;
    const event = this.events[count - 1]!;
    if (last !== NONE && this.lastSeen[client] !== count) {
      event.returned++;
      if (last !== server) {
        if (this.isToBeHad(last)) event.moved++;
        else event.forced++;
      }
    }
    this.lastSeen[client] = count;
    if (event.added === server && Number.isNaN(event.absorbedMs)) this.judgeAbsorption(event, now);
  }

  read(): ChurnResult[] {
    return this.events.map(({ atMs, event, returned, moved, forced, absorbedMs }) => {
      return { atMs, event, returned, moved, forced, absorbedMs };
    });
  }

  private isToBeHad(server: number): boolean {
    return this.weights[server]! > 0 && this.servers[server]!.up;
  }

  private judgeAbsorption(event: Event, now: number): void {
    let open = 0;
    let weight = 0;
    for (let i = 0; i < this.servers.length; i++) {
      if (this.weights[i]! <= 0) continue;
      open += this.servers[i]!.open;
      weight += this.weights[i]!;
    }
    const fair = (open * this.weights[event.added]!) / weight;
    if (this.servers[event.added]!.open >= ABSORBED * fair) event.absorbedMs = now - event.atMs;
  }
}
