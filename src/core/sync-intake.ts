import { sameAddress } from './address.ts';
import { METHOD, PROTOCOL } from './config.ts';
import { CONN_FLAG } from './conn-flags.ts';
import type { Connections } from './connections.ts';
import type { Destination } from './destination.ts';
import type { ConnId } from './flow.ts';
import type { Lifecycle } from './lifecycle.ts';
import { SCTP_STATE_NAMES } from './sctp.ts';
import type { Services } from './services.ts';
import type { Settings } from './settings.ts';
import type { SyncOffers } from './sync-offers.ts';
import type { SyncRecord } from './sync-record.ts';
import { TCP_STATE_NAMES } from './tcp.ts';
import type { StateTimeouts } from './timeouts.ts';

const { METHOD_MASK, SYNC, NOOUTPUT, INACTIVE, OUT_SEQ, IN_SEQ, NO_CPORT, TEMPLATE, ONE_PACKET } = CONN_FLAG;

/** Flags that are taken over from a record of a new entry, and of one that is there. */
const TAKEN = METHOD_MASK | NOOUTPUT | INACTIVE | OUT_SEQ | IN_SEQ | NO_CPORT | TEMPLATE;
const UPDATED = INACTIVE | OUT_SEQ | IN_SEQ;

const SECURITY_PROTOCOLS = [50, 51];
const TEMPLATE_STATES = 2;
/** How long an entry without a timeout of its own lives. */
const DEFAULT_SEC = 180;
const MAX_TIMEOUT_SEC = 0x7fffffff;
const NONE = -1;

/** Persistence engines whose data can be kept. */
const ENGINES: readonly string[] = ['sip'];

/** What became of a record. `ignored`: it is about a connection that another one has replaced. */
export const SYNC_OUTCOMES = [
  'created',
  'updated',
  'ignored',
  'unsupported_protocol',
  'bad_state',
  'bad_flags',
  'unknown_engine',
  'table_full',
] as const;

export type SyncOutcome = (typeof SYNC_OUTCOMES)[number];

/** What records are made into entries with. */
export interface SyncIntakeParts {
  readonly life: Lifecycle;
  readonly services: Services;
  readonly settings: Settings;
  readonly timeouts: StateTimeouts;
}

/** The backup's side of synchronisation: from a record of another director to an entry here (ip_vs_proc_conn). */
export class SyncIntake {
  private readonly parts: SyncIntakeParts;
  private readonly life: Lifecycle;
  private readonly conns: Connections;

  constructor(parts: SyncIntakeParts) {
    this.parts = parts;
    this.life = parts.life;
    this.conns = parts.life.conns;
  }

  /** @param offers of this director if it is a master too: what another one told it is not news */
  take(record: SyncRecord, offers: SyncOffers | undefined, now: number): SyncOutcome {
    const fault = faultOf(record);
    if (fault !== undefined) return fault;
    let id = this.find(record);
    if (id !== NONE && this.isOther(id, record)) {
      if ((record.flags & INACTIVE) !== 0) return 'ignored';
      this.life.expireNow(id, now);
      id = NONE;
    }
    const isNew = id === NONE;
    if (isNew) {
      id = this.create(record, now);
      if (id === NONE) return 'table_full';
    } else {
      this.update(id, record);
    }
    this.fill(id, record, now);
    offers?.heard(id, record.state);
    return isNew ? 'created' : 'updated';
  }

  private find({ flags, protocol, caddr, cport, vaddr, vport, peData }: SyncRecord): ConnId {
    if ((flags & TEMPLATE) === 0) return this.conns.findIn(protocol, caddr, cport, vaddr, vport);
    return this.conns.findTemplate(protocol, caddr, vaddr, vport, peData === '' ? undefined : peData);
  }

  /** Whether a connection that was found goes to another server. */
  private isOther(id: ConnId, { flags, daddr, dport }: SyncRecord): boolean {
    if ((flags & TEMPLATE) !== 0) return false;
    return this.conns.dport(id) !== dport || !sameAddress(this.conns.daddr(id), daddr);
  }

  private create(record: SyncRecord, now: number): ConnId {
    const { conns } = this;
    const id = conns.allocate();
    if (id === NONE) return NONE;
    conns.setClient(id, record.protocol, record.caddr, record.cport);
    conns.setVirtual(id, record.vaddr, record.vport);
    conns.setDest(id, record.daddr, record.dport);
    conns.setFwmark(id, record.fwmark);
    conns.setFlags(id, (record.flags & TAKEN & ~NO_CPORT) | SYNC);
    if ((record.flags & NO_CPORT) !== 0) conns.expectClientPort(id);
    if ((record.flags & TEMPLATE) !== 0 && record.peData !== '') conns.peData.set(id, record.peData);
    const dest = this.destFor(id, record.fwmark);
    if (dest) this.bind(id, dest);
    if (this.parts.settings.numbers.conntrack !== 0) conns.setFlags(id, conns.flags(id) | CONN_FLAG.NFCT);
    conns.hash(id);
    this.life.wheel.arm(id, now + DEFAULT_SEC * 1000);
    return id;
  }

  private update(id: ConnId, { flags }: SyncRecord): void {
    const { conns } = this;
    const old = conns.flags(id);
    const dest = this.life.destOf(id);
    if (dest && ((old ^ flags) & INACTIVE) !== 0 && (old & TEMPLATE) === 0) {
      const by = (flags & INACTIVE) !== 0 ? 1 : -1;
      dest.inactive += by;
      dest.active -= by;
    }
    conns.setFlags(id, (old & ~UPDATED) | (flags & UPDATED));
    if (dest) return;
    const found = this.destFor(id, conns.fwmark(id));
    if (found) this.bind(id, found);
  }

  private fill(id: ConnId, record: SyncRecord, now: number): void {
    const { conns } = this;
    if (record.sequences) conns.sequences.set(id, record.sequences);
    conns.addInPackets(id, this.parts.settings.numbers.sync_threshold - conns.inPackets(id));
    conns.setState(id, record.state);
    conns.setTimeoutSec(id, this.timeoutOf(record));
    this.life.put(id, now);
  }

  private timeoutOf({ timeoutSec, flags, protocol, state }: SyncRecord): number {
    if (timeoutSec > 0) return Math.min(timeoutSec, MAX_TIMEOUT_SEC);
    const hasOwn = (flags & TEMPLATE) === 0 && !SECURITY_PROTOCOLS.includes(protocol);
    return hasOwn ? this.parts.timeouts.of(protocol, state) : DEFAULT_SEC;
  }

  /** The server of an entry among those that are configured here (ip_vs_find_dest). */
  private destFor(id: ConnId, fwmark: number): Destination | undefined {
    const { conns } = this;
    const service = this.parts.services.lookup(conns.protocol(id), conns.vaddr(id), conns.vport(id), fwmark);
    if (!service) return undefined;
    const addr = conns.daddr(id);
    const dport = conns.dport(id);
    const isMasq = (conns.flags(id) & METHOD_MASK) === METHOD.MASQ;
    const first = fwmark !== 0 && !isMasq ? 0 : dport;
    const at = service.indexOf({ addr, port: first });
    return service.dests[at >= 0 ? at : service.indexOf({ addr, port: first ^ dport })];
  }

  /** Binds and counts: the method is the server's, whether a connection is active the record's. */
  private bind(id: ConnId, dest: Destination): void {
    const { conns } = this;
    const isTemplate = (conns.flags(id) & TEMPLATE) !== 0;
    const own = conns.flags(id) & ~(METHOD_MASK | NOOUTPUT);
    const flags = own | (isTemplate ? dest.connFlags() : dest.connFlags() & ~INACTIVE);
    conns.setFlags(id, flags);
    conns.setDestSlot(id, dest.slot);
    if (isTemplate) dest.persistent++;
    else if ((flags & INACTIVE) !== 0) dest.inactive++;
    else dest.active++;
    dest.checkUpperThreshold();
  }
}

/** What an entry can never be, whoever sends it. */
function faultOf({ flags, protocol, state, cport, peName, peData }: SyncRecord): SyncOutcome | undefined {
  if ((flags & ONE_PACKET) !== 0 || ((flags & (NO_CPORT | TEMPLATE)) !== 0 && cport !== 0))
    return 'bad_flags';
  if ((flags & TEMPLATE) !== 0) {
    if ((flags & NO_CPORT) !== 0) return 'bad_flags';
    if (state >= TEMPLATE_STATES) return 'bad_state';
  } else {
    const states = statesOf(protocol);
    if (states === 0) return 'unsupported_protocol';
    if (state >= states) return 'bad_state';
  }
  return peData !== '' && !ENGINES.includes(peName) ? 'unknown_engine' : undefined;
}

/** How many states entries of a protocol have; 0: it is not supported. */
function statesOf(protocol: number): number {
  switch (protocol) {
    case PROTOCOL.TCP:
      return TCP_STATE_NAMES.length;
    case PROTOCOL.SCTP:
      return SCTP_STATE_NAMES.length;
    case PROTOCOL.UDP:
      return 1;
    default:
      return SECURITY_PROTOCOLS.includes(protocol) ? 1 : 0;
  }
}
