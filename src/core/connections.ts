import { type Address, AF_INET, AF_INET6, ipv4, ipv6 } from './address.ts';
import { METHOD } from './config.ts';
import { CONN_FLAG } from './conn-flags.ts';
import type { ConnId } from './flow.ts';
import { mixHash } from './hash.ts';

const NONE = -1;
const FIRST_BUCKETS = 4096;

/** Bits of the column `kind` above the protocol number. */
const CLIENT_IS_V6 = 0x100;
const DEST_IS_V6 = 0x200;

/** What an entry's kind of look-up depends on. */
const KINDS = CONN_FLAG.TEMPLATE | CONN_FLAG.NO_CPORT;

/**
 * Connection entries and templates as columns over stable ids, allocated once for `capacity` (untouched pages cost no
 * memory). One hash over (family, protocol, caddr, cport) serves look-ups from the client, from the server and of
 * templates. Buckets grow by linear hashing: each insertion above the load splits one bucket, so none takes long.
 *
 *   id            0        1        2
 *   next       [ i32 ] [ i32 ] [ i32 ]    chain of the bucket, or of free ids
 *   addresses4 [ caddr vaddr daddr ] ...  IPv4
 *   addresses6 [ 4 + 4 + 4 words   ] ...  IPv6
 *   ports      [ i32 ] ...                cport << 16 | vport
 */
export class Connections {
  readonly capacity: number;
  /** Entries and templates in use. */
  count = 0;
  /** Ids below this have been used at some time. */
  high = 0;

  readonly flags: Int32Array;
  readonly state: Uint8Array;
  /** Seconds with which the timer is restarted. */
  readonly timeoutSec: Int32Array;
  readonly inPackets: Int32Array;
  /** Id of the entry that controls this one, or -1. */
  readonly control: Int32Array;
  /** How many entries this one controls. */
  readonly controlled: Int32Array;
  /** Slot of the destination, or -1. */
  readonly dest: Int32Array;
  readonly fwmark: Int32Array;
  /** What the persistence engine of a template took from its first packet. */
  readonly peData = new Map<ConnId, string>();
  /** Entries whose client's port is not known yet. */
  private noCportCount = 0;

  private readonly kind: Uint16Array;
  private readonly ports: Int32Array;
  private readonly dports: Uint16Array;
  private readonly addresses4: Int32Array;
  private readonly addresses6: Int32Array;
  private readonly next: Int32Array;
  private readonly inUse: Uint8Array;
  private readonly buckets: Int32Array;
  private readonly seed: number;
  /** Buckets [0, split) are already divided for the next level. */
  private level = FIRST_BUCKETS;
  private split = 0;
  private freeIds = NONE;

  /** @param seed of the hash; any int32 */
  constructor(capacity: number, seed: number) {
    this.capacity = capacity;
    this.seed = seed;
    this.flags = new Int32Array(capacity);
    this.state = new Uint8Array(capacity);
    this.timeoutSec = new Int32Array(capacity);
    this.inPackets = new Int32Array(capacity);
    this.control = new Int32Array(capacity);
    this.controlled = new Int32Array(capacity);
    this.dest = new Int32Array(capacity);
    this.fwmark = new Int32Array(capacity);
    this.kind = new Uint16Array(capacity);
    this.ports = new Int32Array(capacity);
    this.dports = new Uint16Array(capacity);
    this.addresses4 = new Int32Array(capacity * 3);
    this.addresses6 = new Int32Array(capacity * 12);
    this.next = new Int32Array(capacity);
    this.inUse = new Uint8Array(capacity);
    this.buckets = new Int32Array(Math.max(FIRST_BUCKETS * 2, 2 ** Math.ceil(Math.log2(capacity + 1)))).fill(
      NONE,
    );
  }

  /**
   * The entry of a client's packet, else one to whose client the port is to be learnt yet (FTP data). Templates are
   * never found this way.
   * @returns -1 for none
   */
  findIn(protocol: number, caddr: Address, cport: number, vaddr: Address, vport: number): ConnId {
    const wanted = cport === 0 ? CONN_FLAG.NO_CPORT : 0;
    const id = this.find(protocol, caddr, cport, vaddr, vport, wanted, undefined);
    if (id !== NONE || this.noCportCount === 0 || cport === 0) return id;
    return this.find(protocol, caddr, 0, vaddr, vport, CONN_FLAG.NO_CPORT, undefined);
  }

  /**
   * `vaddr` is the virtual address, or the mark of a fwmark template (protocol 0) in its first word.
   * @param peData what the persistence engine took from the packet; then it must be the template's
   */
  findTemplate(protocol: number, caddr: Address, vaddr: Address, vport: number, peData?: string): ConnId {
    return this.find(protocol, caddr, 0, vaddr, vport, CONN_FLAG.TEMPLATE, peData);
  }

  /**
   * The entry of a server's packet to a client: of a masqueraded one by the server's address and port, of any other by
   * the virtual ones.
   * @returns -1 for none
   */
  findOut(protocol: number, caddr: Address, cport: number, saddr: Address, sport: number): ConnId {
    const isV6 = caddr.family === AF_INET6;
    const kind = protocol | (isV6 ? CLIENT_IS_V6 : 0);
    const hash = hashTuple(this.seed, kind, caddr.words, cport);
    for (let id = this.buckets[this.bucketOf(hash)]!; id !== NONE; id = this.next[id]!) {
      if (
        this.ports[id]! >>> 16 === cport &&
        ((this.kind[id]! ^ kind) & ~DEST_IS_V6) === 0 &&
        (this.flags[id]! & CONN_FLAG.TEMPLATE) === 0 &&
        this.isFromServer(id, caddr, saddr, sport)
      ) {
        return id;
      }
    }
    return NONE;
  }

  /** @returns the id of a new entry outside the hash, every column cleared, or -1 if the table is full. */
  allocate(): ConnId {
    let id = this.freeIds;
    if (id !== NONE) this.freeIds = this.next[id]!;
    else if (this.high < this.capacity) id = this.high++;
    else return NONE;
    this.count++;
    this.inUse[id] = 1;
    this.flags[id] = 0;
    this.state[id] = 0;
    this.timeoutSec[id] = 0;
    this.inPackets[id] = 0;
    this.control[id] = NONE;
    this.controlled[id] = 0;
    this.dest[id] = NONE;
    this.fwmark[id] = 0;
    return id;
  }

  release(id: ConnId): void {
    if ((this.flags[id]! & CONN_FLAG.NO_CPORT) !== 0) this.noCportCount--;
    if (this.peData.size > 0) this.peData.delete(id);
    this.inUse[id] = 0;
    this.count--;
    this.next[id] = this.freeIds;
    this.freeIds = id;
  }

  isInUse(id: ConnId): boolean {
    return this.inUse[id] === 1;
  }

  setClient(id: ConnId, protocol: number, caddr: Address, cport: number): void {
    const isV6 = caddr.family === AF_INET6;
    this.kind[id] = protocol | (isV6 ? CLIENT_IS_V6 : 0);
    this.ports[id] = (cport << 16) | (this.ports[id]! & 0xffff);
    this.storeAddress(id, 0, caddr);
  }

  /** Says that an entry's client port, set as 0, is yet to be learnt. */
  expectClientPort(id: ConnId): void {
    this.flags[id]! |= CONN_FLAG.NO_CPORT;
    this.noCportCount++;
  }

  /** Gives an entry without client port the one its first packet has. */
  learnClientPort(id: ConnId, cport: number): void {
    this.unhash(id);
    this.flags[id]! &= ~CONN_FLAG.NO_CPORT;
    this.noCportCount--;
    this.ports[id] = (cport << 16) | (this.ports[id]! & 0xffff);
    this.hash(id);
  }

  setVirtual(id: ConnId, vaddr: Address, vport: number): void {
    this.ports[id] = (this.ports[id]! & ~0xffff) | vport;
    this.storeAddress(id, 1, vaddr);
  }

  setDest(id: ConnId, daddr: Address, dport: number): void {
    const isV6 = daddr.family === AF_INET6;
    this.kind[id] = (this.kind[id]! & ~DEST_IS_V6) | (isV6 ? DEST_IS_V6 : 0);
    this.dports[id] = dport;
    this.storeAddress(id, 2, daddr);
  }

  /** Puts an entry at the head of its bucket. */
  hash(id: ConnId): void {
    this.flags[id]! |= CONN_FLAG.HASHED;
    const bucket = this.bucketOf(this.hashOf(id));
    this.next[id] = this.buckets[bucket]!;
    this.buckets[bucket] = id;
    if (this.count > this.level + this.split) this.splitOne();
  }

  unhash(id: ConnId): void {
    this.flags[id]! &= ~CONN_FLAG.HASHED;
    const bucket = this.bucketOf(this.hashOf(id));
    const head = this.buckets[bucket]!;
    if (head === id) {
      this.buckets[bucket] = this.next[id]!;
      return;
    }
    let before = head;
    while (this.next[before] !== id) before = this.next[before]!;
    this.next[before] = this.next[id]!;
  }

  protocol(id: ConnId): number {
    return this.kind[id]! & 0xff;
  }

  isV6(id: ConnId): boolean {
    return (this.kind[id]! & CLIENT_IS_V6) !== 0;
  }

  cport(id: ConnId): number {
    return this.ports[id]! >>> 16;
  }

  vport(id: ConnId): number {
    return this.ports[id]! & 0xffff;
  }

  dport(id: ConnId): number {
    return this.dports[id]!;
  }

  caddr(id: ConnId): Address {
    return this.loadAddress(id, 0, this.isV6(id));
  }

  vaddr(id: ConnId): Address {
    return this.loadAddress(id, 1, this.isV6(id));
  }

  daddr(id: ConnId): Address {
    return this.loadAddress(id, 2, (this.kind[id]! & DEST_IS_V6) !== 0);
  }

  /** Length of each bucket's chain in use, to judge the hash. */
  *chainLengths(): Generator<number> {
    for (let bucket = 0; bucket < this.bucketCount; bucket++) {
      let length = 0;
      this.eachInBucket(bucket, () => length++);
      yield length;
    }
  }

  get bucketCount(): number {
    return this.level + this.split;
  }

  /** Calls `visit` with each entry of a bucket, 0 to `bucketCount` - 1; it may not change the table. */
  eachInBucket(bucket: number, visit: (id: ConnId) => void): void {
    for (let id = this.buckets[bucket]!; id !== NONE; id = this.next[id]!) visit(id);
  }

  private find(
    protocol: number,
    caddr: Address,
    cport: number,
    vaddr: Address,
    vport: number,
    wantedFlag: number,
    peData: string | undefined,
  ): ConnId {
    const isV6 = caddr.family === AF_INET6;
    const kind = protocol | (isV6 ? CLIENT_IS_V6 : 0);
    const ports = (cport << 16) | vport;
    const hash = hashTuple(this.seed, kind, caddr.words, cport);
    for (let id = this.buckets[this.bucketOf(hash)]!; id !== NONE; id = this.next[id]!) {
      if (
        this.ports[id] === ports &&
        ((this.kind[id]! ^ kind) & ~DEST_IS_V6) === 0 &&
        (this.flags[id]! & KINDS) === wantedFlag &&
        (peData === undefined || this.peData.get(id) === peData) &&
        (isV6 ? this.matches6(id, caddr, vaddr) : this.matches4(id, caddr, vaddr))
      ) {
        return id;
      }
    }
    return NONE;
  }

  private matches4(id: ConnId, caddr: Address, vaddr: Address): boolean {
    return this.addresses4[id * 3] === caddr.words[0] && this.addresses4[id * 3 + 1] === vaddr.words[0];
  }

  private matches6(id: ConnId, caddr: Address, vaddr: Address): boolean {
    const at = id * 12;
    for (let i = 0; i < 4; i++) {
      if (this.addresses6[at + i] !== caddr.words[i] || this.addresses6[at + 4 + i] !== vaddr.words[i])
        return false;
    }
    return true;
  }

  private isFromServer(id: ConnId, caddr: Address, saddr: Address, sport: number): boolean {
    const isMasq = (this.flags[id]! & CONN_FLAG.METHOD_MASK) === METHOD.MASQ;
    if ((isMasq ? this.dports[id]! : this.ports[id]! & 0xffff) !== sport) return false;
    return this.isV6(id)
      ? this.matchesOut6(id, caddr, saddr, isMasq)
      : this.matchesOut4(id, caddr, saddr, isMasq);
  }

  private matchesOut4(id: ConnId, caddr: Address, saddr: Address, isMasq: boolean): boolean {
    const at = id * 3;
    return (
      this.addresses4[at] === caddr.words[0] && this.addresses4[at + (isMasq ? 2 : 1)] === saddr.words[0]
    );
  }

  private matchesOut6(id: ConnId, caddr: Address, saddr: Address, isMasq: boolean): boolean {
    const at = id * 12;
    const server = at + (isMasq ? 8 : 4);
    for (let i = 0; i < 4; i++) {
      if (this.addresses6[at + i] !== caddr.words[i] || this.addresses6[server + i] !== saddr.words[i])
        return false;
    }
    return true;
  }

  private storeAddress(id: ConnId, which: 0 | 1 | 2, address: Address): void {
    if (address.family === AF_INET) this.addresses4[id * 3 + which] = address.words[0];
    else for (let i = 0; i < 4; i++) this.addresses6[id * 12 + which * 4 + i] = address.words[i]!;
  }

  private loadAddress(id: ConnId, which: 0 | 1 | 2, isV6: boolean): Address {
    if (!isV6) return ipv4(this.addresses4[id * 3 + which]!);
    const at = id * 12 + which * 4;
    return ipv6(
      this.addresses6[at]!,
      this.addresses6[at + 1]!,
      this.addresses6[at + 2]!,
      this.addresses6[at + 3]!,
    );
  }

  private hashOf(id: ConnId): number {
    const kind = this.kind[id]! & ~DEST_IS_V6;
    const at = this.isV6(id) ? id * 12 : id * 3;
    const words = this.isV6(id) ? this.addresses6 : this.addresses4;
    let hash = mixHash(this.seed ^ kind, words[at]!);
    if (this.isV6(id)) for (let i = 1; i < 4; i++) hash = mixHash(hash, words[at + i]!);
    return mixHash(hash, this.cport(id));
  }

  private bucketOf(hash: number): number {
    const bucket = hash & (this.level - 1);
    return bucket < this.split ? hash & (this.level * 2 - 1) : bucket;
  }

  /** Divides the bucket at `split` between itself and its twin `level` further; the chains keep their order. */
  private splitOne(): void {
    if (this.level + this.split >= this.buckets.length) return;
    const from = this.split;
    const twin = from + this.level;
    const wide = this.level * 2 - 1;
    let id = this.buckets[from]!;
    let keptTail = NONE;
    let movedTail = NONE;
    this.buckets[from] = NONE;
    while (id !== NONE) {
      const after = this.next[id]!;
      const moves = (this.hashOf(id) & wide) === twin;
      const tail = moves ? movedTail : keptTail;
      if (tail === NONE) this.buckets[moves ? twin : from] = id;
      else this.next[tail] = id;
      this.next[id] = NONE;
      if (moves) movedTail = id;
      else keptTail = id;
      id = after;
    }
    this.split++;
    if (this.split === this.level) {
      this.level *= 2;
      this.split = 0;
    }
  }
}

/** The twin of Connections.hashOf over a tuple that is not in the table. */
function hashTuple(seed: number, kind: number, words: Address['words'], cport: number): number {
  let hash = mixHash(seed ^ kind, words[0]);
  if (kind & CLIENT_IS_V6) for (let i = 1; i < 4; i++) hash = mixHash(hash, words[i]!);
  return mixHash(hash, cport);
}
