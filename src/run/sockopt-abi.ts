/** First of the socket options of IPVS at level IPPROTO_IP (uapi/linux/ip_vs.h, IP_VS_BASE_CTL). */
export const SOCKOPT_BASE = 64 + 1024 + 64;
export const SOCKOPT_COUNT = 16;

/** Options that are set, as offsets from the first. */
export const SET = {
  ADD: 2,
  EDIT: 3,
  DEL: 4,
  FLUSH: 5,
  ADDDEST: 7,
  DELDEST: 8,
  EDITDEST: 9,
  TIMEOUT: 10,
  STARTDAEMON: 11,
  STOPDAEMON: 12,
  ZERO: 15,
} as const;

/** Options that are read. */
export const GET = {
  VERSION: 0,
  INFO: 1,
  SERVICES: 2,
  SERVICE: 3,
  DESTS: 4,
  TIMEOUT: 6,
  DAEMON: 7,
} as const;

/** Bytes of the structures: ip_vs_service_user, _dest_user, _timeout_user, _daemon_user, _service_entry, _dest_entry. */
export const SERVICE_LEN = 44;
const DEST_LEN = 24;
export const TIMEOUT_LEN = 12;
export const DAEMON_LEN = 24;
export const SERVICE_ENTRY_LEN = 104;
export const DEST_ENTRY_LEN = 96;
/** Of ip_vs_get_services and ip_vs_get_dests without their entries, and of ip_vs_getinfo. */
export const SERVICES_HEAD_LEN = 8;
export const DESTS_HEAD_LEN = 24;
export const INFO_LEN = 12;
const VERSION_LEN = 64;

/** Lengths that setsockopt() takes. */
export const SET_LENGTHS: Readonly<Record<number, number>> = {
  [SET.ADD]: SERVICE_LEN,
  [SET.EDIT]: SERVICE_LEN,
  [SET.DEL]: SERVICE_LEN,
  [SET.FLUSH]: 0,
  [SET.ADDDEST]: SERVICE_LEN + DEST_LEN,
  [SET.DELDEST]: SERVICE_LEN + DEST_LEN,
  [SET.EDITDEST]: SERVICE_LEN + DEST_LEN,
  [SET.TIMEOUT]: TIMEOUT_LEN,
  [SET.STARTDAEMON]: DAEMON_LEN,
  [SET.STOPDAEMON]: DAEMON_LEN,
  [SET.ZERO]: SERVICE_LEN,
};

/** The least lengths that getsockopt() takes. */
export const GET_LENGTHS: Readonly<Record<number, number>> = {
  [GET.VERSION]: VERSION_LEN,
  [GET.INFO]: INFO_LEN,
  [GET.SERVICES]: SERVICES_HEAD_LEN,
  [GET.SERVICE]: SERVICE_ENTRY_LEN,
  [GET.DESTS]: DESTS_HEAD_LEN,
  [GET.TIMEOUT]: TIMEOUT_LEN,
  [GET.DAEMON]: 2 * DAEMON_LEN,
};
