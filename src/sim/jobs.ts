/** No job, no server, no next one. */
export const NONE = -1;

const FIRST_CAPACITY = 1024;

/**
 * Connections under way, as columns over ids that are used again: memory grows with how many there are at a time, not
 * with how many there were.
 */
export class Jobs {
  /** Server that works on it; NONE once it is lost, until its event comes up. */
  server = new Int32Array(FIRST_CAPACITY);
  /** Number of the client. */
  client = new Int32Array(FIRST_CAPACITY);
  /** Which director has it. */
  director = new Int32Array(FIRST_CAPACITY);
  /** What the front needs to find it again: entry or destination. */
  handle = new Int32Array(FIRST_CAPACITY);
  /** The job behind it in its server's queue, or the next free id. */
  next = new Int32Array(FIRST_CAPACITY);
  /** 1: keeps a connection open and no server busy. */
  idle = new Uint8Array(FIRST_CAPACITY);
  /** 1: an event of its own is planned. */
  planned = new Uint8Array(FIRST_CAPACITY);
  /** ms. */
  arrivedAt = new Float64Array(FIRST_CAPACITY);
  /** ms at speed 1. */
  work = new Float64Array(FIRST_CAPACITY);
  private capacity = FIRST_CAPACITY;
  private high = 0;
  private free = NONE;
  count = 0;

  allocate(): number {
    this.count++;
    const id = this.free;
    if (id !== NONE) {
      this.free = this.next[id]!;
      return id;
    }
    if (this.high === this.capacity) this.grow();
    return this.high++;
  }

  release(id: number): void {
    this.count--;
    this.next[id] = this.free;
    this.free = id;
  }

  /** Calls `visit` with each job of a server. */
  eachOf(server: number, visit: (id: number) => void): void {
    const isFree = new Uint8Array(this.high);
    for (let id = this.free; id !== NONE; id = this.next[id]!) isFree[id] = 1;
    for (let id = 0; id < this.high; id++) if (isFree[id] === 0 && this.server[id] === server) visit(id);
  }

  private grow(): void {
    this.capacity *= 2;
    const wider = <A extends Int32Array | Uint8Array | Float64Array>(column: A, made: A): A => {
      made.set(column);
      return made;
    };
    const { capacity } = this;
    this.server = wider(this.server, new Int32Array(capacity));
    this.client = wider(this.client, new Int32Array(capacity));
    this.director = wider(this.director, new Int32Array(capacity));
    this.handle = wider(this.handle, new Int32Array(capacity));
    this.next = wider(this.next, new Int32Array(capacity));
    this.idle = wider(this.idle, new Uint8Array(capacity));
    this.planned = wider(this.planned, new Uint8Array(capacity));
    this.arrivedAt = wider(this.arrivedAt, new Float64Array(capacity));
    this.work = wider(this.work, new Float64Array(capacity));
  }
}
