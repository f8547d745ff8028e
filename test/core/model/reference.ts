/** TCP: next state by direction and event, as words, in the order of STATES. */
const STATES = [
  'NONE',
  'ESTABLISHED',
  'SYN_RECV',
  'FIN_WAIT',
  'TIME_WAIT',
  'CLOSE',
  'CLOSE_WAIT',
  'LAST_ACK',
  'SYN_SENT',
];
const SHORT: Readonly<Record<string, string>> = {
  ES: 'ESTABLISHED',
  SR: 'SYN_RECV',
  FW: 'FIN_WAIT',
  TW: 'TIME_WAIT',
  CL: 'CLOSE',
  CW: 'CLOSE_WAIT',
  LA: 'LAST_ACK',
  SS: 'SYN_SENT',
};
const NEXT: Readonly<Record<string, string>> = {
  'in S': 'SR ES SR SR SR SR SR SR ES',
  'in F': 'CL CW TW TW TW CL CW LA SS',
  'in A': 'ES ES ES FW TW CL CW CL SS',
  'in R': 'CL CL SR CL CL CL CL LA CL',
  'out S': 'SS ES SR SS SS SS SS SS SS',
  'out F': 'TW FW TW FW TW CL TW LA SS',
  'out A': 'ES ES ES FW TW CL CW LA SS',
  'out R': 'CL CL CL CL TW CL CL CL SS',
  'only S': 'SR ES SR SR SR SR SR SR ES',
  'only F': 'CL FW TW FW TW CL CW LA SS',
  'only A': 'ES ES ES FW TW CL CW CL SS',
  'only R': 'CL CL SR CL CL CL CL LA CL',
};
const TIMEOUT_SEC: Readonly<Record<string, number>> = {
  NONE: 2,
  ESTABLISHED: 900,
  SYN_RECV: 60,
  FIN_WAIT: 120,
  TIME_WAIT: 120,
  CLOSE: 10,
  CLOSE_WAIT: 60,
  LAST_ACK: 30,
  SYN_SENT: 120,
  UDP: 300,
};
const ACTIVE = ['ESTABLISHED', 'SYN_RECV', 'SYN_SENT'];

export type Flag = 'S' | 'F' | 'A' | 'R';

export interface RefService {
  readonly protocol: 'TCP' | 'UDP';
  readonly vport: number;
  /** 0: not persistent. */
  readonly persistentSec: number;
  dests: RefDest[];
}

export interface RefDest {
  readonly n: number;
  readonly service: RefService;
  readonly isMasq: boolean;
  weight: number;
  upper: number;
  active: number;
  inactive: number;
  persistent: number;
  overloaded: boolean;
  available: boolean;
  inPackets: number;
  outPackets: number;
  conns: number;
  idleSince: number;
}

interface RefEntry {
  readonly protocol: 'TCP' | 'UDP';
  readonly client: number;
  readonly cport: number;
  vport: number;
  dport: number;
  readonly dest: RefDest;
  readonly isTemplate: boolean;
  readonly isMasq: boolean;
  unseen: boolean;
  isActive: boolean;
  state: string;
  timeoutSec: number;
  expiresAt: number;
  readonly parent: RefEntry | undefined;
}

/** The rules of the core once more, written for reading: arrays gone through from end to end, states as words. */
export class Reference {
  readonly settings = { conn_reuse_mode: 1, expire_nodest_conn: 0, expire_quiescent_template: 0 };
  readonly services: readonly RefService[];
  entries: RefEntry[] = [];
  private trash: RefDest[] = [];
  private trashRunAt = Number.POSITIVE_INFINITY;
  private sweepPending = false;
  now = 0;

  constructor(services: readonly RefService[]) {
    this.services = services;
  }

  addDest(service: RefService, n: number, isMasq: boolean, weight: number, upper: number): void {
    const at = this.trash.findIndex((dest) => dest.n === n && dest.service === service);
    const old = at < 0 ? undefined : this.trash.splice(at, 1)[0];
    const fresh = {
      active: 0,
      inactive: 0,
      persistent: 0,
      overloaded: false,
      inPackets: 0,
      outPackets: 0,
      conns: 0,
    };
    const dest = old ?? { n, service, isMasq, weight, upper: 0, available: true, idleSince: -1, ...fresh };
    // What an entry inherits is the method of the time it was made.
    const revived = Object.assign(dest, { isMasq, available: true });
    this.editDest(revived, weight, upper);
    service.dests.unshift(revived);
  }

  editDest(dest: RefDest, weight: number, upper: number): void {
    if (upper === 0 || upper > dest.upper) dest.overloaded = false;
    dest.weight = weight;
    dest.upper = upper;
  }

  deleteDest(dest: RefDest): void {
    dest.service.dests = dest.service.dests.filter((each) => each !== dest);
    dest.available = false;
    dest.idleSince = -1;
    if (this.trash.length === 0) this.trashRunAt = this.now + 60_000;
    this.trash.push(dest);
    if (this.settings.expire_nodest_conn) this.sweepPending = true;
  }

  /** @returns the server's number, or what becomes of the packet */
  fromClient(
    service: RefService,
    client: number,
    cport: number,
    flag: Flag,
  ): number | 'pass' | 'drop' | 'reject' {
    const { protocol, vport } = service;
    let entry = this.entries.find(
      (e) =>
        !e.isTemplate &&
        e.protocol === protocol &&
        e.client === client &&
        e.cport === cport &&
        e.vport === vport,
    );
    if (entry && protocol === 'TCP' && flag === 'S' && this.isReused(entry)) {
      if (!this.hasChildren(entry)) this.remove(entry);
      entry = undefined;
    }
    if (entry && !entry.dest.available) {
      if (!this.settings.expire_nodest_conn) return 'drop';
      this.remove(entry);
      entry = undefined;
    }
    if (!entry) {
      if (protocol === 'TCP' && flag !== 'S') return 'pass';
      entry = this.schedule(service, client, cport);
      if (!entry) return 'reject';
    }
    this.move(entry, entry.unseen ? 'only' : 'in', flag);
    if (entry.dest.available) entry.dest.inPackets++;
    this.restart(entry);
    return entry.dest.n;
  }

  fromServer(dest: RefDest, client: number, cport: number, flag: Flag): boolean {
    const { protocol } = dest.service;
    const isFrom = (e: RefEntry): boolean => e.isMasq && e.dest.n === dest.n && e.dport === 8080;
    const entry = [...this.entries]
      .reverse()
      .find(
        (e) =>
          !e.isTemplate && e.protocol === protocol && e.client === client && e.cport === cport && isFrom(e),
      );
    if (!entry) return false;
    entry.unseen = false;
    this.move(entry, 'out', flag);
    if (protocol === 'UDP') this.assure(entry);
    if (entry.dest.available) entry.dest.outPackets++;
    this.restart(entry);
    return true;
  }

  nextDeadline(): number {
    return Math.min(this.trashRunAt, ...this.entries.map((e) => e.expiresAt));
  }

  expire(): void {
    if (this.sweepPending) {
      this.sweepPending = false;
      for (;;) {
        const lost = this.entries.find((e) => !e.dest.available && !this.hasChildren(e));
        if (!lost) break;
        this.remove(lost);
      }
    }
    // A template whose timer ends along with its last connection's ends too.
    const due = this.entries.filter((e) => e.expiresAt <= this.now);
    for (const entry of due.sort((a, b) => Number(a.isTemplate) - Number(b.isTemplate))) {
      if (this.hasChildren(entry)) {
        entry.timeoutSec = 60;
        this.restart(entry);
      } else this.remove(entry);
    }
    if (this.now >= this.trashRunAt) this.runTrash();
  }

  private runTrash(): void {
    for (const dest of [...this.trash]) {
      if (dest.active + dest.inactive + dest.persistent > 0) continue;
      if (dest.idleSince < 0) dest.idleSince = this.now;
      else if (this.now >= dest.idleSince + 120_000) this.trash = this.trash.filter((each) => each !== dest);
    }
    this.trashRunAt = this.trash.length > 0 ? this.now + 60_000 : Number.POSITIVE_INFINITY;
  }

  private schedule(service: RefService, client: number, cport: number): RefEntry | undefined {
    if (service.persistentSec === 0) {
      const dest = this.choose(service);
      return dest && this.create(service, client, cport, dest, false, undefined);
    }
    let template = this.entries.find(
      (e) =>
        e.isTemplate && e.protocol === service.protocol && e.client === client && e.vport === service.vport,
    );
    if (template && !this.isUsable(template.dest)) {
      template.vport = 65535;
      template.dport = 65535;
      template = undefined;
    }
    if (!template) {
      const dest = this.choose(service);
      if (!dest) return undefined;
      template = this.create(service, client, 0, dest, true, undefined);
      template.timeoutSec = service.persistentSec;
    }
    const entry = this.create(service, client, cport, template.dest, false, template);
    this.restart(template);
    return entry;
  }

  /** Least connections; of equals, the first. */
  private choose(service: RefService): RefDest | undefined {
    const load = (dest: RefDest): number => dest.active * 256 + dest.inactive;
    const fit = service.dests.filter((dest) => dest.weight > 0 && !dest.overloaded);
    return fit.find((dest) => fit.every((other) => load(dest) <= load(other)));
  }

  private create(
    service: RefService,
    client: number,
    cport: number,
    dest: RefDest,
    isTemplate: boolean,
    parent: RefEntry | undefined,
  ): RefEntry {
    const entry: RefEntry = {
      protocol: service.protocol,
      client,
      cport,
      vport: service.vport,
      dport: 8080,
      dest,
      isTemplate,
      isMasq: dest.isMasq,
      unseen: !dest.isMasq,
      isActive: false,
      state: service.protocol === 'UDP' && !isTemplate ? 'UDP' : 'NONE',
      timeoutSec: 3,
      expiresAt: this.now + 3000,
      parent,
    };
    if (isTemplate) dest.persistent++;
    else {
      dest.inactive++;
      dest.conns++;
    }
    if (dest.upper > 0 && dest.active + dest.inactive >= dest.upper) dest.overloaded = true;
    this.entries.push(entry);
    return entry;
  }

  private remove(entry: RefEntry): void {
    if (this.hasChildren(entry)) {
      entry.timeoutSec = 60;
      this.restart(entry);
      return;
    }
    this.entries = this.entries.filter((e) => e !== entry);
    const { dest } = entry;
    if (entry.isTemplate) dest.persistent--;
    else if (entry.isActive) dest.active--;
    else dest.inactive--;
    const total = dest.active + dest.inactive;
    if (dest.upper === 0 || total * 4 < dest.upper * 3) dest.overloaded = false;
  }

  private move(entry: RefEntry, direction: string, flag: Flag): void {
    if (entry.protocol === 'TCP') {
      entry.state = SHORT[NEXT[`${direction} ${flag}`]!.split(' ')[STATES.indexOf(entry.state)]!]!;
      const isActive = ACTIVE.includes(entry.state);
      if (isActive !== entry.isActive) {
        entry.dest.active += isActive ? 1 : -1;
        entry.dest.inactive += isActive ? -1 : 1;
        entry.isActive = isActive;
      }
      if (entry.state === 'ESTABLISHED') this.assure(entry);
    }
    entry.timeoutSec = TIMEOUT_SEC[entry.state]!;
  }

  private assure(entry: RefEntry): void {
    if (entry.parent) entry.parent.state = 'ASSURED';
  }

  private restart(entry: RefEntry): void {
    entry.expiresAt = this.now + entry.timeoutSec * 1000;
  }

  private isReused(entry: RefEntry): boolean {
    if (this.settings.expire_nodest_conn && entry.dest.weight === 0) return true;
    const mode = this.settings.conn_reuse_mode;
    if (mode === 0 || entry.parent) return false;
    if (entry.state === 'TIME_WAIT' || entry.state === 'CLOSE') return true;
    return mode >= 2 && entry.state === 'FIN_WAIT' && entry.unseen;
  }

  private isUsable(dest: RefDest): boolean {
    return dest.available && !(dest.weight === 0 && this.settings.expire_quiescent_template);
  }

  private hasChildren(entry: RefEntry): boolean {
    return this.entries.some((e) => e.parent === entry);
  }
}
