import { type Address, AF_INET } from './address.ts';
import { METHOD } from './config.ts';
import { CONN_FLAG } from './conn-flags.ts';
import { EntryRecords, KIND_BIT, RECORD_WORDS, TELLING_WORD, WORD } from './entry-records.ts';
import type { ConnId } from './flow.ts';
import type { SequenceShifts } from './sync-record.ts';
import { TupleIndex } from './tuple-index.ts';

const NONE = -1;

// Copies, quicker to read; see entry-records.ts.
const WORDS = RECORD_WORDS;
const { NEXT, KIND, PORTS, CADDR, VADDR, DADDR, DPORT_STATE, TIMEOUT_SEC, IN_PACKETS, DEST } = WORD;
const { CONTROL, CONTROLLED, FWMARK } = WORD;
const { PROTOCOL_SHIFT, CLIENT_IS_V6, IN_USE } = KIND_BIT;
const { METHOD_MASK, NO_CPORT, HASHED, TEMPLATE } = CONN_FLAG;
const { MASQ } = METHOD;
const { V4: TELLING_V4, V6: TELLING_V6 } = TELLING_WORD;
const V4 = AF_INET;

/** What a look-up for a server's packet, and for a client's, depends on in the word KIND. */
const SERVER_KINDS = KIND_BIT.PROTOCOL | CLIENT_IS_V6 | TEMPLATE;
const CLIENT_KINDS = SERVER_KINDS | NO_CPORT;

/**
 * The table of connection entries and templates. One index over (family, protocol, caddr, cport) serves look-ups from
 * the client, from the server and of templates.
 */
export class Connections extends EntryRecords {
  /** Entries and templates in use. */
  count = 0;
  /** Ids below this have been used at some time. */
  high = 0;
  /** What the persistence engine of a template took from its first packet. */
  readonly peData = new Map<ConnId, string>();
  /** Sequence adjustment that another director told of. */
  readonly sequences = new Map<ConnId, SequenceShifts>();
  /** Entries whose client's port is not known yet. */
  private noCportCount = 0;
  /** Link to the first free record. */
  private free = 0;
  private readonly index: TupleIndex;

  /** @param seed of the hash; any int32 */
  constructor(capacity: number, seed: number) {
    super(capacity);
    this.index = new TupleIndex(this, seed);
  }

  /**
   * The entry of a client's packet, else one to whose client the port is to be learnt yet (FTP data). Templates are
   * never found this way.
   * @returns -1 for none
   */
  findIn(protocol: number, caddr: Address, cport: number, vaddr: Address, vport: number): ConnId {
    const wanted = cport === 0 ? NO_CPORT : 0;
    const id = this.find(protocol, caddr, cport, vaddr, vport, wanted, undefined);
    if (id !== NONE || this.noCportCount === 0 || cport === 0) return id;
    return this.find(protocol, caddr, 0, vaddr, vport, NO_CPORT, undefined);
  }

  /**
   * `vaddr` is the virtual address, or the mark of a fwmark template (protocol 0) in its first word.
   * @param peData what the persistence engine took from the packet; then it must be the template's
   */
  findTemplate(protocol: number, caddr: Address, vaddr: Address, vport: number, peData?: string): ConnId {
    return this.find(protocol, caddr, 0, vaddr, vport, TEMPLATE, peData);
  }

  /**
   * The entry of a server's packet to a client: of a masqueraded one by the server's address and port, of any other by
   * the virtual ones.
   * @returns -1 for none
   */
  findOut(protocol: number, caddr: Address, cport: number, saddr: Address, sport: number): ConnId {
    const { words } = this;
    const isV4 = caddr.family === V4;
    const kind = kindOf(protocol, isV4);
    const telling = isV4 ? TELLING_V4 : TELLING_V6;
    const client = caddr.words[telling];
    const server = saddr.words[telling];
    let link = this.index.first(protocol, caddr, cport);
    while (link !== 0) {
      const at = (link - 1) * WORDS;
      if (
        words[at + PORTS]! >>> 16 === cport &&
        (words[at + KIND]! & SERVER_KINDS) === kind &&
        words[at + CADDR] === client &&
        this.isServer(link - 1, server, sport) &&
        (isV4 || this.isSame6(link - 1, caddr, this.serverAddress(link - 1), saddr))
      ) {
        return link - 1;
      }
      link = words[at + NEXT]!;
    }
    return NONE;
  }

  /** @returns the id of a new entry outside the index, addresses and ports yet to be set, or -1 if the table is full. */
  allocate(): ConnId {
    const { words } = this;
    let id = this.free - 1;
    if (id !== NONE) this.free = words[id * WORDS + NEXT]!;
    else if (this.high < this.capacity) id = this.high++;
    else return NONE;
    this.count++;
    const at = id * WORDS;
    words[at + KIND] = IN_USE;
    words[at + DPORT_STATE] = 0;
    words[at + TIMEOUT_SEC] = 0;
    words[at + IN_PACKETS] = 0;
    words[at + DEST] = NONE;
    words[at + CONTROL] = NONE;
    words[at + CONTROLLED] = 0;
    words[at + FWMARK] = 0;
    return id;
  }

  release(id: ConnId): void {
    const at = id * WORDS;
    if ((this.words[at + KIND]! & NO_CPORT) !== 0) this.noCportCount--;
    if (this.peData.size > 0) this.peData.delete(id);
    if (this.sequences.size > 0) this.sequences.delete(id);
    this.count--;
    this.words[at + KIND] = 0;
    this.words[at + NEXT] = this.free;
    this.free = id + 1;
  }

  /** Says that an entry's client port, set as 0, is yet to be learnt. */
  expectClientPort(id: ConnId): void {
    this.setFlags(id, this.flags(id) | NO_CPORT);
    this.noCportCount++;
  }

  /** Gives an entry without client port the one its first packet has. */
  learnClientPort(id: ConnId, cport: number): void {
    this.unhash(id);
    this.setFlags(id, this.flags(id) & ~NO_CPORT);
    this.noCportCount--;
    this.setClientPort(id, cport);
    this.hash(id);
  }

  /** Puts an entry at the head of its bucket. */
  hash(id: ConnId): void {
    this.words[id * WORDS + KIND]! |= HASHED;
    this.index.insert(id, this.count);
  }

  unhash(id: ConnId): void {
    this.words[id * WORDS + KIND]! &= ~HASHED;
    this.index.remove(id);
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
    return this.index.bucketCount;
  }

  /** Calls `visit` with each entry of a bucket, 0 to `bucketCount` - 1; it may not change the table. */
  eachInBucket(bucket: number, visit: (id: ConnId) => void): void {
    let link = this.index.firstOf(bucket);
    while (link !== 0) {
      visit(link - 1);
      link = this.words[(link - 1) * WORDS + NEXT]!;
    }
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
    const { words } = this;
    const ports = (cport << 16) | vport;
    const isV4 = caddr.family === V4;
    const kind = kindOf(protocol, isV4) | wantedFlag;
    const telling = isV4 ? TELLING_V4 : TELLING_V6;
    const client = caddr.words[telling];
    const virtual = vaddr.words[telling];
    let link = this.index.first(protocol, caddr, cport);
    while (link !== 0) {
      const at = (link - 1) * WORDS;
      if (
        words[at + PORTS] === ports &&
        words[at + CADDR] === client &&
        words[at + VADDR] === virtual &&
        (words[at + KIND]! & CLIENT_KINDS) === kind &&
        (peData === undefined || this.peData.get(link - 1) === peData) &&
        (isV4 || this.isSame6(link - 1, caddr, VADDR, vaddr))
      ) {
        return link - 1;
      }
      link = words[at + NEXT]!;
    }
    return NONE;
  }

  /** Whether an entry's replies come from this port and the address with this telling word. */
  private isServer(id: ConnId, telling: number, sport: number): boolean {
    const at = id * WORDS;
    const which = this.serverAddress(id);
    const port = which === DADDR ? this.words[at + DPORT_STATE]! >>> 16 : this.words[at + PORTS]! & 0xffff;
    return port === sport && this.words[at + which] === telling;
  }

  /** Which address replies come from: the server's if it is masqueraded, else the virtual one. */
  private serverAddress(id: ConnId): typeof DADDR | typeof VADDR {
    return (this.words[id * WORDS + KIND]! & METHOD_MASK) === MASQ ? DADDR : VADDR;
  }

  /** Whether the IPv6 addresses agree of which the telling words do. */
  private isSame6(id: ConnId, caddr: Address, which: number, other: Address): boolean {
    return this.isAddress6(id, CADDR, caddr.words) && this.isAddress6(id, which, other.words);
  }
}

/** Protocol and family as the word KIND has them. */
const kindOf = (protocol: number, isV4: boolean): number =>
  (protocol << PROTOCOL_SHIFT) | (isV4 ? 0 : CLIENT_IS_V6);
