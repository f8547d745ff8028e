import { PROTOCOL } from './config.ts';
import { CONN_FLAG } from './conn-flags.ts';
import type { DestinationTable } from './destination-table.ts';
import type { ConnId } from './flow.ts';
import type { Host } from './host.ts';
import { type Lifecycle, TEMPLATE_ASSURED } from './lifecycle.ts';
import { SCTP_STATE } from './sctp.ts';
import { DEFENCES, type Settings } from './settings.ts';
import { TCP_STATE } from './tcp.ts';

const PERIOD_MS = 1000;
/** An entry is spared until its timer was left alone for so long. */
const IDLE_MS = 60_000;
/** Entries with more incoming packets are spared. */
const MAX_PACKETS = 8;
/** Each second one bucket in so many is gone through. */
const SHARE_OF_BUCKETS = 32;

/** States in which an entry gives way at once: half open. */
const SCTP_HALF_OPEN: readonly number[] = [1, 2];

/** Defence against floods when memory is low: drop_entry and drop_packet (update_defense_level, ip_vs_random_dropentry). */
export class Defence {
  private readonly life: Lifecycle;
  private readonly dests: DestinationTable;
  private readonly settings: Settings;
  private readonly host: Host;
  private readonly random: () => number;
  /** Every how many-th packet is dropped; 0: none. */
  private dropRate = 0;
  private dropCounter = 0;
  /** By number of incoming packets: how many entries more are spared. */
  private readonly spare = new Int8Array(MAX_PACKETS + 1);
  private nextAt = Number.POSITIVE_INFINITY;

  constructor(
    life: Lifecycle,
    dests: DestinationTable,
    settings: Settings,
    host: Host,
    random: () => number,
  ) {
    this.life = life;
    this.dests = dests;
    this.settings = settings;
    this.host = host;
    this.random = random;
  }

  /** Whether the defence drops this packet of a client that is about to get an entry. */
  dropsPacket(): boolean {
    if (this.dropRate === 0 || --this.dropCounter > 0) return false;
    this.dropCounter = this.dropRate;
    return true;
  }

  /** To be called when a setting has changed. */
  settingChanged(now: number): void {
    this.look();
    const { numbers } = this.settings;
    const isOn = DEFENCES.some((name) => numbers[name] !== 0);
    if (!isOn) this.nextAt = Number.POSITIVE_INFINITY;
    else if (this.nextAt === Number.POSITIVE_INFINITY) this.nextAt = now + PERIOD_MS;
  }

  expire(now: number): void {
    while (now >= this.nextAt) {
      this.look();
      if (this.settings.numbers.drop_entry >= 2) this.dropEntries(now);
      this.nextAt += PERIOD_MS;
    }
  }

  nextDeadline(): number {
    return this.nextAt;
  }

  /** Looks at memory: settings in mode 1 or 2 follow it, and the rate of drop_packet. */
  private look(): void {
    const { numbers } = this.settings;
    const threshold = numbers.amemthresh;
    const free = this.host.freePages?.() ?? Number.POSITIVE_INFINITY;
    const isLow = free < threshold;
    for (const name of DEFENCES) {
      if (numbers[name] === 1 || numbers[name] === 2) this.settings.setDefending(name, isLow);
    }
    const mode = numbers.drop_packet;
    if (mode === 2) this.setDropRate(Math.floor(threshold / (threshold - free)));
    else if (mode === 3) this.dropRate = numbers.am_droprate;
    else this.dropRate = 0;
  }

  private setDropRate(rate: number): void {
    this.dropRate = rate;
    this.dropCounter = rate;
  }

  private dropEntries(now: number): void {
    const { conns } = this.life;
    const buckets = conns.bucketCount;
    for (let n = Math.floor(buckets / SHARE_OF_BUCKETS); n > 0; n--) {
      const victims: ConnId[] = [];
      conns.eachInBucket(Math.floor(this.random() * buckets), (id) => {
        if (this.isVictim(id, now)) victims.push(id);
      });
      // A victim's parent may be a victim of its own and gone with it.
      for (const id of victims) if (conns.isInUse(id)) this.life.drop(id, now);
    }
  }

  private isVictim(id: ConnId, now: number): boolean {
    const { conns } = this.life;
    if (conns.controlled(id) > 0) return false;
    const state = conns.state(id);
    if ((conns.flags(id) & CONN_FLAG.TEMPLATE) !== 0) {
      const service = this.dests.at(conns.destSlot(id))?.service;
      return service?.isOnePacket ? this.isDue(id, now) : state !== TEMPLATE_ASSURED;
    }
    if (conns.protocol(id) === PROTOCOL.TCP) {
      if (state === TCP_STATE.SYN_RECV || state === TCP_STATE.SYNACK) return true;
      return state === TCP_STATE.ESTABLISHED && this.isDue(id, now);
    }
    if (conns.protocol(id) === PROTOCOL.SCTP) {
      if (SCTP_HALF_OPEN.includes(state)) return true;
      return state === SCTP_STATE.ESTABLISHED && this.isDue(id, now);
    }
    return this.isDue(id, now);
  }

  /** Of idle entries with n packets from the client, n from 1 to 8, every n-th is to go. */
  private isDue(id: ConnId, now: number): boolean {
    const { conns, wheel } = this.life;
    const restartedAt = wheel.expiresAt(id) - conns.timeoutSec(id) * 1000;
    if (now < restartedAt + IDLE_MS) return false;
    const packets = conns.inPackets(id);
    if (packets <= 0 || packets > MAX_PACKETS) return false;
    if (--this.spare[packets]! > 0) return false;
    this.spare[packets] = packets;
    return true;
  }
}
