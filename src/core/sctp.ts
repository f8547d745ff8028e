import { chunkLength, chunkType, SCTP_CHUNK, SCTP_CHUNK_LEN, SCTP_HEADER_LEN } from './wire/sctp.ts';

/** States of an SCTP connection entry, numbered as in the kernel (ip_vs_proto_sctp.c). */
export const SCTP_STATE = {
  NONE: 0,
  ESTABLISHED: 8,
  SHUTDOWN_SENT: 9,
  SHUTDOWN_RECEIVED: 10,
  SHUTDOWN_ACK_SENT: 11,
  CLOSED: 13,
} as const;

export const SCTP_STATE_NAMES = [
  'NONE',
  'INIT1',
  'INIT',
  'C-SENT',
  'C-REPLIED',
  'C-WAIT',
  'COOKIE',
  'C-ECHOED',
  'ESTABLISHED',
  'S-SENT',
  'S-RECEIVED',
  'S-ACK-SENT',
  'REJECTED',
  'CLOSED',
] as const;

/** Timeout of each state in seconds. */
export const SCTP_TIMEOUTS_SEC = [2, 4, 61, 61, 61, 61, 61, 61, 900, 61, 61, 61, 4, 61] as const;

/** Events of the SCTP machine, in the order of the table's rows. */
export const SCTP_EVENT = {
  DATA: 0,
  INIT: 1,
  INIT_ACK: 2,
  COOKIE_ECHO: 3,
  COOKIE_ACK: 4,
  SHUTDOWN: 5,
  SHUTDOWN_ACK: 6,
  SHUTDOWN_COMPLETE: 7,
  ERROR: 8,
  ABORT: 9,
} as const;

const EVENT_COUNT = 10;

/** Event of each chunk type; types beyond the table count as data. */
const EVENTS = Uint8Array.from([0, 1, 2, 0, 0, 0, 9, 5, 6, 8, 3, 4, 0, 0, 7]);

const ABBREVIATIONS = 'NO I1 IN CS CR CW CO CE ES SS SR SA RJ CL'.split(' ');
const STATES = ABBREVIATIONS.length;

/** Columns: the present state in the order of the names. Rows: the events for each of INPUT, OUTPUT and input only. */
const NEXT = table(`
  ES I1 IN CS CR CW CO CE ES SS SR SA RJ CL
  I1 IN IN CS CR CW CO CE ES SS SR SA IN IN
  CW CW CW CS CR CO CO CE ES SS SR SA RJ CL
  CR IN IN CR CR CW CO CE ES SS SR SA RJ CL
  ES I1 IN CS CR CW CO ES ES SS SR SA RJ CL
  SR I1 IN CS CR CW CO CE SR SS SR SA RJ CL
  CL IN IN CS CR CW CO CE ES CL SR CL RJ CL
  CL CL CL CS CR CW CO CE ES SS SR CL RJ CL
  CL I1 IN CS CR CW CO CL ES SS SR SA RJ CL
  CL CL CL CL CL RJ CL CL CL CL CL CL CL CL

  ES I1 IN CS CR CW CO CE ES SS SR SA RJ CL
  CW CW CW CW CW CW CW CW ES CW CW CW CW CW
  CS CS CS CS CR CW CO CE ES SS SR SA RJ CL
  CE CE CE CE CE CE CE CE ES SS SR SA RJ CL
  ES ES ES ES ES ES ES ES ES SS SR SA RJ CL
  SS SS SS SS SS SS SS SS SS SS SR SA RJ CL
  SA SA SA SA SA CW CO CE ES SA SA SA RJ CL
  CL I1 IN CS CR CW CO CE ES SS SR SA RJ CL
  CL CL CL CL CL CW CO CE ES SS SR SA RJ CL
  CL RJ CL CL CL CL CL CL CL CL CL CL CL CL

  ES I1 IN CS CR ES CO CE ES SS SR SA RJ CL
  I1 IN IN IN IN IN CO CE ES SS SR SA IN IN
  CE CE CE CE CE CE CO CE ES SS SR SA RJ CL
  ES ES ES ES ES ES CO CE ES SS SR SA RJ CL
  ES I1 IN ES ES CW ES ES ES SS SR SA RJ CL
  SR I1 IN CS CR CW CO CE SR SS SR SA RJ CL
  CL IN IN CS CR CW CO CE CL CL SR CL RJ CL
  CL CL CL CL CL CW CO CE ES SS CL CL RJ CL
  CL I1 IN CS CR CW CO CE ES SS SR SA RJ CL
  CL CL CL CL CL RJ CL CL CL CL CL CL CL CL
`);

/** @param way a DIRECTION or INPUT_ONLY */
export const nextSctpState = (way: number, event: number, state: number): number =>
  NEXT[(way * EVENT_COUNT + event) * STATES + state]!;

/** Only an established association counts as active. */
export const isActiveSctpState = (state: number): boolean => state === SCTP_STATE.ESTABLISHED;

/**
 * The event of a packet: that of its first chunk, or ABORT if a cookie chunk is followed by an ABORT chunk.
 * @param at where the common header starts; it and a chunk's head must be there
 * @param end where the packet ends
 */
export function sctpEvent(b: Uint8Array, at: number, end: number): number {
  const first = at + SCTP_HEADER_LEN;
  const type = chunkType(b, first);
  if (type === SCTP_CHUNK.COOKIE_ECHO || type === SCTP_CHUNK.COOKIE_ACK) {
    const length = chunkLength(b, first);
    const second = first + ((length + 3) & ~3);
    if (length >= SCTP_CHUNK_LEN && second + SCTP_CHUNK_LEN <= end && b[second] === SCTP_CHUNK.ABORT)
      return SCTP_EVENT.ABORT;
  }
  return type < EVENTS.length ? EVENTS[type]! : SCTP_EVENT.DATA;
}

function table(text: string): Uint8Array {
  return Uint8Array.from(text.trim().split(/\s+/), (abbreviation) => ABBREVIATIONS.indexOf(abbreviation));
}
