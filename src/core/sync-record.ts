import type { Address } from './address.ts';

/** What an application module adds to the sequence numbers of one direction; int32 each (struct ip_vs_seq). */
export interface SequenceShift {
  /** Sequence number of the segment whose payload was last resized. */
  readonly initial: number;
  /** Added to numbers after `initial`. */
  readonly delta: number;
  /** Added to numbers before it. */
  readonly previousDelta: number;
}

/** Sequence adjustment of both directions of a TCP connection. */
export interface SequenceShifts {
  readonly in: SequenceShift;
  readonly out: SequenceShift;
}

/** A connection entry or template as directors tell each other of it. Families of the three addresses are equal. */
export interface SyncRecord {
  /** 0 for templates of a firewall mark, whose `vaddr` is the mark in its first word. */
  readonly protocol: number;
  /** Bits of CONN_FLAG; format 0 carries the low sixteen. */
  readonly flags: number;
  readonly state: number;
  readonly cport: number;
  readonly vport: number;
  readonly dport: number;
  /** u32; 0 in format 0. */
  readonly fwmark: number;
  /** With which the entry's timer is restarted, u32; 0: not told. */
  readonly timeoutSec: number;
  readonly caddr: Address;
  readonly vaddr: Address;
  readonly daddr: Address;
  /** Told only with the flags IN_SEQ or OUT_SEQ. */
  readonly sequences: SequenceShifts | undefined;
  /** Persistence engine and what it took from the template's first packet, a byte a character; '' for none. */
  readonly peName: string;
  readonly peData: string;
}
