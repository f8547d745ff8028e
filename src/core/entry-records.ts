import { type Address, AF_INET, AF_INET6, ipv4, ipv6 } from './address.ts';
import type { ConnId } from './flow.ts';

/** Words of a record: 64 bytes, a line of the processor's cache. */
export const RECORD_WORDS = 16;

/**
 * Offsets in words within a record. The first twelve are what packets of an established connection touch: large
 * arrays start 16 bytes past a page, and those words stay on one line of the cache there too.
 */
export const WORD = {
  /** Link to the next record of the bucket, or of the free ones: its id plus 1; 0 ends the chain. */
  NEXT: 0,
  /** Flags of CONN_FLAG and what is in KIND. */
  KIND: 1,
  /** cport << 16 | vport */
  PORTS: 2,
  /** One word of each address, by which look-ups tell it; see TELLING_WORD. */
  CADDR: 3,
  VADDR: 4,
  DADDR: 5,
  /** dport << 16 | state */
  DPORT_STATE: 6,
  TIMEOUT_SEC: 7,
  IN_PACKETS: 8,
  DEST: 9,
  /** Two words, a float64: absolute ms. */
  EXPIRES_AT: 10,
  TICK: 12,
  CONTROL: 13,
  CONTROLLED: 14,
  FWMARK: 15,
} as const;

/** Bits of the word KIND beside the flags of CONN_FLAG. */
export const KIND_BIT = {
  FLAGS: 0x3ffff,
  PROTOCOL: 0xff00000,
  PROTOCOL_SHIFT: 20,
  CLIENT_IS_V6: 0x10000000,
  DEST_IS_V6: 0x20000000,
  IN_USE: 0x40000000,
} as const;

/** Which word of an address a record has: the only one of IPv4, the last one of IPv6. */
export const TELLING_WORD = { V4: 0, V6: 3 } as const;

// An imported or exported constant costs a load and a check at each use: the path of a packet reads copies.
const WORDS = RECORD_WORDS;
const { KIND, PORTS, CADDR, VADDR, DADDR, DPORT_STATE, TIMEOUT_SEC, IN_PACKETS, DEST } = WORD;
const { CONTROL, CONTROLLED, FWMARK } = WORD;
const V6 = AF_INET6;
const { FLAGS, PROTOCOL, PROTOCOL_SHIFT, CLIENT_IS_V6, DEST_IS_V6, IN_USE } = KIND_BIT;

/** Words of an IPv6 address, and of the three that an entry has in the side store. */
const ADDRESS6_WORDS = 4;
const SIDE_WORDS = 3 * ADDRESS6_WORDS;

/**
 * Connection entries and templates as records over stable ids, allocated once for `capacity`: untouched pages cost no
 * memory. A packet of an established connection finds all it needs on one line of the cache.
 *
 *   words      [ next kind ports caddr vaddr daddr ... ][ next kind ... ]   id 0, id 1, ...
 *   addresses6 [ caddr vaddr daddr, 4 words each       ][ ...           ]   of IPv6 entries
 */
export class EntryRecords {
  readonly capacity: number;
  readonly words: Int32Array;
  private readonly addresses6: Int32Array;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.words = new Int32Array(capacity * WORDS);
    this.addresses6 = new Int32Array(capacity * SIDE_WORDS);
  }

  protocol(id: ConnId): number {
    return (this.words[id * WORDS + KIND]! >>> PROTOCOL_SHIFT) & 0xff;
  }

  isV6(id: ConnId): boolean {
    return (this.words[id * WORDS + KIND]! & CLIENT_IS_V6) !== 0;
  }

  isInUse(id: ConnId): boolean {
    return (this.words[id * WORDS + KIND]! & IN_USE) !== 0;
  }

  /** Bits of CONN_FLAG. */
  flags(id: ConnId): number {
    return this.words[id * WORDS + KIND]! & FLAGS;
  }

  setFlags(id: ConnId, flags: number): void {
    const at = id * WORDS + KIND;
    this.words[at] = (this.words[at]! & ~FLAGS) | flags;
  }

  state(id: ConnId): number {
    return this.words[id * WORDS + DPORT_STATE]! & 0xffff;
  }

  setState(id: ConnId, state: number): void {
    const at = id * WORDS + DPORT_STATE;
    this.words[at] = (this.words[at]! & ~0xffff) | state;
  }

  /** Seconds with which the timer is restarted. */
  timeoutSec(id: ConnId): number {
    return this.words[id * WORDS + TIMEOUT_SEC]!;
  }

  setTimeoutSec(id: ConnId, seconds: number): void {
    this.words[id * WORDS + TIMEOUT_SEC] = seconds;
  }

  inPackets(id: ConnId): number {
    return this.words[id * WORDS + IN_PACKETS]!;
  }

  addInPackets(id: ConnId, packets: number): void {
    this.words[id * WORDS + IN_PACKETS]! += packets;
  }

  /** Id of the entry that controls this one, or -1. */
  control(id: ConnId): ConnId {
    return this.words[id * WORDS + CONTROL]!;
  }

  setControl(id: ConnId, parent: ConnId): void {
    this.words[id * WORDS + CONTROL] = parent;
  }

  /** How many entries this one controls. */
  controlled(id: ConnId): number {
    return this.words[id * WORDS + CONTROLLED]!;
  }

  addControlled(id: ConnId, by: 1 | -1): void {
    this.words[id * WORDS + CONTROLLED]! += by;
  }

  /** Slot of the destination, or -1. */
  destSlot(id: ConnId): number {
    return this.words[id * WORDS + DEST]!;
  }

  setDestSlot(id: ConnId, slot: number): void {
    this.words[id * WORDS + DEST] = slot;
  }

  /** Firewall mark of the packet that made the entry, u32. */
  fwmark(id: ConnId): number {
    return this.words[id * WORDS + FWMARK]! >>> 0;
  }

  setFwmark(id: ConnId, fwmark: number): void {
    this.words[id * WORDS + FWMARK] = fwmark;
  }

  cport(id: ConnId): number {
    return this.words[id * WORDS + PORTS]! >>> 16;
  }

  vport(id: ConnId): number {
    return this.words[id * WORDS + PORTS]! & 0xffff;
  }

  dport(id: ConnId): number {
    return this.words[id * WORDS + DPORT_STATE]! >>> 16;
  }

  caddr(id: ConnId): Address {
    return this.address(id, CADDR, this.isV6(id));
  }

  vaddr(id: ConnId): Address {
    return this.address(id, VADDR, this.isV6(id));
  }

  daddr(id: ConnId): Address {
    return this.address(id, DADDR, (this.words[id * WORDS + KIND]! & DEST_IS_V6) !== 0);
  }

  /** Copies an address without making an object. @param which WORD.CADDR, VADDR or DADDR */
  copyAddress(id: ConnId, which: number, to: [number, number, number, number]): void {
    if (!this.isV6(id)) {
      to[0] = this.words[id * WORDS + which]!;
      return;
    }
    const at = sideOf(id, which);
    for (let i = 0; i < ADDRESS6_WORDS; i++) to[i] = this.addresses6[at + i]!;
  }

  /** Sets protocol, client's address and port; only while the entry is not hashed. */
  setClient(id: ConnId, protocol: number, caddr: Address, cport: number): void {
    const at = id * WORDS + KIND;
    const family = caddr.family === V6 ? CLIENT_IS_V6 : 0;
    this.words[at] = (this.words[at]! & ~(PROTOCOL | CLIENT_IS_V6)) | (protocol << PROTOCOL_SHIFT) | family;
    this.setAddress(id, CADDR, caddr);
    this.setClientPort(id, cport);
  }

  setVirtual(id: ConnId, vaddr: Address, vport: number): void {
    const at = id * WORDS + PORTS;
    this.words[at] = (this.words[at]! & ~0xffff) | vport;
    this.setAddress(id, VADDR, vaddr);
  }

  setDest(id: ConnId, daddr: Address, dport: number): void {
    const at = id * WORDS;
    const family = daddr.family === V6 ? DEST_IS_V6 : 0;
    this.words[at + KIND] = (this.words[at + KIND]! & ~DEST_IS_V6) | family;
    this.words[at + DPORT_STATE] = (dport << 16) | this.state(id);
    this.setAddress(id, DADDR, daddr);
  }

  protected setClientPort(id: ConnId, cport: number): void {
    const at = id * WORDS + PORTS;
    this.words[at] = (cport << 16) | (this.words[at]! & 0xffff);
  }

  /** Whether an IPv6 address is an entry's. @param which WORD.CADDR, VADDR or DADDR */
  isAddress6(id: ConnId, which: number, words: Address['words']): boolean {
    const { addresses6 } = this;
    const at = sideOf(id, which);
    return (
      addresses6[at] === words[0] &&
      addresses6[at + 1] === words[1] &&
      addresses6[at + 2] === words[2] &&
      addresses6[at + 3] === words[3]
    );
  }

  /** One of the four words of an IPv6 client's address. */
  clientWord6(id: ConnId, word: number): number {
    return this.addresses6[sideOf(id, CADDR) + word]!;
  }

  private address(id: ConnId, which: number, isV6: boolean): Address {
    if (!isV6) return ipv4(this.words[id * WORDS + which]!);
    const { addresses6 } = this;
    const at = sideOf(id, which);
    return ipv6(addresses6[at]!, addresses6[at + 1]!, addresses6[at + 2]!, addresses6[at + 3]!);
  }

  private setAddress(id: ConnId, which: number, address: Address): void {
    this.words[id * WORDS + which] = address.words[address.family === V6 ? TELLING_WORD.V6 : TELLING_WORD.V4];
    if (address.family === AF_INET) return;
    const at = sideOf(id, which);
    for (let i = 0; i < ADDRESS6_WORDS; i++) this.addresses6[at + i] = address.words[i]!;
  }
}

const sideOf = (id: ConnId, which: number): number => id * SIDE_WORDS + (which - CADDR) * ADDRESS6_WORDS;
