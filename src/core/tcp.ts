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
const EVENTS = 5;

const ABBREVIATIONS = 'NO ES SS SR FW TW CL CW LA LI SA'.split(' ');
const STATES = 11;
/** Where the table of the secure_tcp defence starts behind the normal one. */
const SECURE = 3 * EVENTS * STATES;

/** States in which a server carries the connection as active. */
const ACTIVE = [false, true, true, true, false, false, false, false, false, false, true] as const;

/**
 * Columns: the present state in the order of TCP_STATE. Rows: SYN, FIN, ACK, RST and no event for each of INPUT, OUTPUT
 * and input only; first the normal table, then that of secure_tcp.
 */
const NEXT = table(`
  SR ES ES SR SR SR SR SR SR SR SR
  CL CW SS TW TW TW CL CW LA LI TW
  ES ES SS ES FW TW CL CW CL LI ES
  CL CL CL SR CL CL CL CL LA LI SR
  CL CL CL CL CL CL CL CL CL CL CL

  SS ES SS SR SS SS SS SS SS LI SR
  TW FW SS TW FW TW CL TW LA LI TW
  ES ES SS ES FW TW CL CW LA ES ES
  CL CL SS CL CL TW CL CL CL CL CL
  CL CL CL CL CL CL CL CL CL CL CL

  SR ES ES SR SR SR SR SR SR SR SR
  CL FW SS TW FW TW CL CW LA LI TW
  ES ES SS ES FW TW CL CW CL LI ES
  CL CL CL SR CL CL CL CL LA LI CL
  CL CL CL CL CL CL CL CL CL CL CL

  SR ES ES SR SR SR SR SR SR SR SA
  CL CW SS TW TW TW CL CW LA LI SA
  ES ES SS SR FW TW CL CW CL LI SA
  CL CL CL SR CL CL CL CL LA LI CL
  CL CL CL CL CL CL CL CL CL CL CL

  SS ES SS SA SS SS SS SS SS LI SA
  TW FW SS TW FW TW CL TW LA LI TW
  ES ES SS ES FW TW CL CW LA ES ES
  CL CL SS CL CL TW CL CL CL CL CL
  CL CL CL CL CL CL CL CL CL CL CL

  SA ES ES SR SA SA SA SA SA SA SA
  CL FW SS TW FW TW CL CW LA LI TW
  ES ES SS ES FW TW CL CW CL LI ES
  CL CL CL SR CL CL CL CL LA LI CL
  CL CL CL CL CL CL CL CL CL CL CL
`);

/** The event of each octet of flags: the first of RST, SYN, FIN and ACK that is set. */
const EVENT_OF_FLAGS = Uint8Array.from({ length: 256 }, (_, flags) => {
  if ((flags & TCP_FLAG.RST) !== 0) return TCP_EVENT.RST;
  if ((flags & TCP_FLAG.SYN) !== 0) return TCP_EVENT.SYN;
  if ((flags & TCP_FLAG.FIN) !== 0) return TCP_EVENT.FIN;
  return (flags & TCP_FLAG.ACK) !== 0 ? TCP_EVENT.ACK : NO_TCP_EVENT;
});

/**
 * @param way a DIRECTION or INPUT_ONLY
 * @param event of `tcpEvent`, or a TCP_EVENT
 * @param secure use the table of the secure_tcp defence
 */
export function nextTcpState(way: number, event: number, state: number, secure: boolean): number {
  return NEXT[(secure ? SECURE : 0) + (way * EVENTS + event) * STATES + state]!;
}

/** The event of a segment's flags: a TCP_EVENT, or 4 for none. */
export const tcpEvent = (flags: number): number => EVENT_OF_FLAGS[flags]!;

export const isActiveTcpState = (state: number): boolean => ACTIVE[state]!;

function table(text: string): Uint8Array {
  return Uint8Array.from(text.trim().split(/\s+/), (abbreviation) => ABBREVIATIONS.indexOf(abbreviation));
}
