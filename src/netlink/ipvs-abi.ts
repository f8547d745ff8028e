import { NESTED, type Policy, type Rule, U8, U16, U32 } from './policy.ts';

/** The family of the kernel's IPVS (uapi linux/ip_vs.h): name, version, highest top-level attribute. */
export const IPVS_FAMILY = { name: 'IPVS', version: 1, maxAttribute: 6 } as const;

/** A name has at most 15 bytes, that of a persistence engine 16; a NUL follows. */
const NAME: Rule = { kind: 'text', max: 15 };
const PE_NAME: Rule = { kind: 'text', max: 16 };
const ADDRESS: Rule = { kind: 'bytes', max: 16 };

export const COMMAND = {
  NEW_SERVICE: 1,
  SET_SERVICE: 2,
  DEL_SERVICE: 3,
  GET_SERVICE: 4,
  NEW_DEST: 5,
  SET_DEST: 6,
  DEL_DEST: 7,
  GET_DEST: 8,
  NEW_DAEMON: 9,
  DEL_DAEMON: 10,
  GET_DAEMON: 11,
  SET_CONFIG: 12,
  GET_CONFIG: 13,
  /** Only a reply, to GET_INFO. */
  SET_INFO: 14,
  GET_INFO: 15,
  ZERO: 16,
  FLUSH: 17,
} as const;

/** Top-level attributes of requests and of all replies but SET_INFO. Time-outs are in seconds. */
export const ATTR = {
  SERVICE: 1,
  DEST: 2,
  DAEMON: 3,
  TIMEOUT_TCP: 4,
  TIMEOUT_TCP_FIN: 5,
  TIMEOUT_UDP: 6,
} as const;

/** Top-level attributes of SET_INFO. */
export const INFO = { VERSION: 1, CONN_TAB_SIZE: 2 } as const;

export const SERVICE = {
  AF: 1,
  PROTOCOL: 2,
  ADDR: 3,
  PORT: 4,
  FWMARK: 5,
  SCHED_NAME: 6,
  /** Two u32: flags, and which of them count. */
  FLAGS: 7,
  TIMEOUT: 8,
  /** IPv4: mask, big-endian. IPv6: prefix length in host order. */
  NETMASK: 9,
  STATS: 10,
  PE_NAME: 11,
  STATS64: 12,
} as const;

export const DEST = {
  ADDR: 1,
  PORT: 2,
  FWD_METHOD: 3,
  WEIGHT: 4,
  U_THRESH: 5,
  L_THRESH: 6,
  ACTIVE_CONNS: 7,
  INACT_CONNS: 8,
  PERSIST_CONNS: 9,
  STATS: 10,
  ADDR_FAMILY: 11,
  STATS64: 12,
  TUN_TYPE: 13,
  TUN_PORT: 14,
  TUN_FLAGS: 15,
} as const;

export const DAEMON = {
  STATE: 1,
  MCAST_IFN: 2,
  SYNC_ID: 3,
  SYNC_MAXLEN: 4,
  /** Four bytes in network order. */
  MCAST_GROUP: 5,
  MCAST_GROUP6: 6,
  /** In host order. */
  MCAST_PORT: 7,
  MCAST_TTL: 8,
} as const;

/** In STATS (u32 but for the bytes) and STATS64 (u64). */
export const STATS = {
  CONNS: 1,
  INPKTS: 2,
  OUTPKTS: 3,
  INBYTES: 4,
  OUTBYTES: 5,
  CPS: 6,
  INPPS: 7,
  OUTPPS: 8,
  INBPS: 9,
  OUTBPS: 10,
  PAD: 11,
} as const;

/** What the kernel demands of each attribute (ip_vs_ctl.c, ip_vs_cmd_policy and its nested ones). */
export const COMMAND_POLICY: Policy = {
  [ATTR.SERVICE]: NESTED,
  [ATTR.DEST]: NESTED,
  [ATTR.DAEMON]: NESTED,
  [ATTR.TIMEOUT_TCP]: U32,
  [ATTR.TIMEOUT_TCP_FIN]: U32,
  [ATTR.TIMEOUT_UDP]: U32,
};

export const INFO_POLICY: Policy = { [INFO.VERSION]: U32, [INFO.CONN_TAB_SIZE]: U32 };

export const SERVICE_POLICY: Policy = {
  [SERVICE.AF]: U16,
  [SERVICE.PROTOCOL]: U16,
  [SERVICE.ADDR]: ADDRESS,
  [SERVICE.PORT]: U16,
  [SERVICE.FWMARK]: U32,
  [SERVICE.SCHED_NAME]: NAME,
  [SERVICE.FLAGS]: { kind: 'bytes', max: 8 },
  [SERVICE.TIMEOUT]: U32,
  [SERVICE.NETMASK]: U32,
  [SERVICE.STATS]: NESTED,
  [SERVICE.PE_NAME]: PE_NAME,
  [SERVICE.STATS64]: { kind: 'bytes' },
};

export const DEST_POLICY: Policy = {
  [DEST.ADDR]: ADDRESS,
  [DEST.PORT]: U16,
  [DEST.FWD_METHOD]: U32,
  [DEST.WEIGHT]: U32,
  [DEST.U_THRESH]: U32,
  [DEST.L_THRESH]: U32,
  [DEST.ACTIVE_CONNS]: U32,
  [DEST.INACT_CONNS]: U32,
  [DEST.PERSIST_CONNS]: U32,
  [DEST.STATS]: NESTED,
  [DEST.ADDR_FAMILY]: U16,
  [DEST.STATS64]: { kind: 'bytes' },
  [DEST.TUN_TYPE]: U8,
  [DEST.TUN_PORT]: U16,
  [DEST.TUN_FLAGS]: U16,
};

export const DAEMON_POLICY: Policy = {
  [DAEMON.STATE]: U32,
  [DAEMON.MCAST_IFN]: NAME,
  [DAEMON.SYNC_ID]: U32,
  [DAEMON.SYNC_MAXLEN]: U16,
  [DAEMON.MCAST_GROUP]: U32,
  [DAEMON.MCAST_GROUP6]: { kind: 'bytes', min: 16 },
  [DAEMON.MCAST_PORT]: U16,
  [DAEMON.MCAST_TTL]: U8,
};
