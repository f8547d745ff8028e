import { TCP_EVENT } from './flow.ts';
import { TCP_FLAG } from './wire/tcp.ts';

/** States of a TCP connection entry, numbered as in the kernel (ip_vs_proto_tcp.c). */
export const TCP_STATE = {
  NONE: 0,
  ESTABLISHED: 1,
  SYN_SENT: 2,
  SYN_RECV: 3,
  FIN_WAIT: 4,
  TIME_WAIT: 5,
  CLOSE: 6,
  CLOSE_WAIT: 7,
  LAST_ACK: 8,
  LISTEN: 9,
  SYNACK: 10,
} as const;

export const TCP_STATE_NAMES = [
  'NONE',
  'ESTABLISHED',
  'SYN_SENT',
  'SYN_RECV',
  'FIN_WAIT',
  'TIME_WAIT',
  'CLOSE',
  'CLOSE_WAIT',
  'LAST_ACK',
  'LISTEN',
  'SYNACK',
] as const;

/** Default timeout of each state in seconds. */
export const TCP_TIMEOUTS_SEC = [2, 900, 120, 60, 120, 120, 10, 60, 30, 120, 120] as const;

/** A segment without SYN, FIN, ACK and RST: it closes the entry. */
const NO_TCP_EVENT = 4;

/** Rows of a table: direction * 4 + event. INPUT_ONLY is for entries whose replies are not seen. */
export const TCP_ROWS = { INPUT: 0, OUTPUT: 4, INPUT_ONLY: 8 } as const;

const ABBREVIATIONS = 'NO ES SS SR FW TW CL CW LA LI SA'.split(' ');
const STATES = ABBREVIATIONS.length;

/** States in which a server carries the connection as active. */
const ACTIVE = [false, true, true, true, false, false, false, false, false, false, true] as const;

/** Columns: the present state in the order of TCP_STATE. Rows: SYN, FIN, ACK, RST of each direction. */
const NORMAL = table(`
  SR ES ES SR SR SR SR SR SR SR SR
  CL CW SS TW TW TW CL CW LA LI TW
  ES ES SS ES FW TW CL CW CL LI ES
  CL CL CL SR CL CL CL CL LA LI SR

  SS ES SS SR SS SS SS SS SS LI SR
  TW FW SS TW FW TW CL TW LA LI TW
  ES ES SS ES FW TW CL CW LA ES ES
  CL CL SS CL CL TW CL CL CL CL CL

  SR ES ES SR SR SR SR SR SR SR SR
  CL FW SS TW FW TW CL CW LA LI TW
  ES ES SS ES FW TW CL CW CL LI ES
  CL CL CL SR CL CL CL CL LA LI CL
`);

const SECURE = table(`
  SR ES ES SR SR SR SR SR SR SR SA
  CL CW SS TW TW TW CL CW LA LI SA
  ES ES SS SR FW TW CL CW CL LI SA
  CL CL CL SR CL CL CL CL LA LI CL

  SS ES SS SA SS SS SS SS SS LI SA
  TW FW SS TW FW TW CL TW LA LI TW
  ES ES SS ES FW TW CL CW LA ES ES
  CL CL SS CL CL TW CL CL CL CL CL

  SA ES ES SR SA SA SA SA SA SA SA
  CL FW SS TW FW TW CL CW LA LI TW
  ES ES SS ES FW TW CL CW CL LI ES
  CL CL CL SR CL CL CL CL LA LI CL
`);

/**
 * @param row one of TCP_ROWS
 * @param event a TCP_EVENT or NO_TCP_EVENT
 * @param secure use the table of the secure_tcp defence
 */
export function nextTcpState(row: number, event: number, state: number, secure: boolean): number {
  if (event === NO_TCP_EVENT) return TCP_STATE.CLOSE;
  return (secure ? SECURE : NORMAL)[(row + event) * STATES + state]!;
}

/** The event of a segment's flags: the first of RST, SYN, FIN and ACK that is set. */
export function tcpEvent(flags: number): number {
  if ((flags & TCP_FLAG.RST) !== 0) return TCP_EVENT.RST;
  if ((flags & TCP_FLAG.SYN) !== 0) return TCP_EVENT.SYN;
  if ((flags & TCP_FLAG.FIN) !== 0) return TCP_EVENT.FIN;
  return (flags & TCP_FLAG.ACK) !== 0 ? TCP_EVENT.ACK : NO_TCP_EVENT;
}

export const isActiveTcpState = (state: number): boolean => ACTIVE[state]!;

function table(text: string): Uint8Array {
  return Uint8Array.from(text.trim().split(/\s+/), (abbreviation) => ABBREVIATIONS.indexOf(abbreviation));
}
