import type { Address, Family } from './address.ts';

/** IP protocol numbers of the services that ipvsadm can name. 0 stands for fwmark templates ("IP"). */
export const PROTOCOL = { IP: 0, TCP: 6, UDP: 17, SCTP: 132 } as const;

/** Bits of a service's flags word (uapi IP_VS_SVC_F_*). */
export const SERVICE_FLAG = {
  PERSISTENT: 0x0001,
  HASHED: 0x0002,
  ONE_PACKET: 0x0004,
  SCHED_1: 0x0008,
  SCHED_2: 0x0010,
  SCHED_3: 0x0020,
} as const;

/** Forwarding methods: the low three bits of a connection's or destination's flags (uapi IP_VS_CONN_F_*). */
export const METHOD = { MASQ: 0, LOCAL: 1, TUNNEL: 2, ROUTE: 3, BYPASS: 4 } as const;

export const TUNNEL_TYPE = { IPIP: 0, GUE: 1, GRE: 2 } as const;

/** What GET_INFO and the listings report as IPVS version (1.2.1) and connection table size. */
export const IPVS_VERSION = 0x010201;
export const CONN_TABLE_SIZE = 4096;

/** Identity of a virtual service: (family, fwmark) when fwmark is not 0, else (family, protocol, address, port). */
export interface ServiceKey {
  readonly family: Family;
  readonly protocol: number;
  readonly addr: Address;
  readonly port: number;
  readonly fwmark: number;
}

export interface ServiceConfig extends ServiceKey {
  /** '' or 'none': no scheduler. */
  readonly scheduler: string;
  /** u32, without HASHED. */
  readonly flags: number;
  /** Persistence timeout in seconds. */
  readonly timeoutSec: number;
  /** IPv4: mask as a u32 in host order (255.255.255.0 = 0xffffff00). IPv6: prefix length 1..128. */
  readonly netmask: number;
  /** Persistence engine, '' for none. */
  readonly pe: string;
}

/** Identity of a destination within its service. */
export interface DestKey {
  readonly addr: Address;
  readonly port: number;
}

export interface DestConfig extends DestKey {
  /** int32, >= 0 once accepted. */
  readonly weight: number;
  /** One of METHOD; other values 0..7 are stored as given. */
  readonly method: number;
  /** u32; 0 = no limit. */
  readonly upperThreshold: number;
  readonly lowerThreshold: number;
  readonly tunnelType: number;
  readonly tunnelPort: number;
  /** 0 no checksum, 1 checksum, 2 remote checksum. */
  readonly tunnelFlags: number;
}

/** Counters and rates as listings show them: 2-second snapshots, not live values. */
export interface StatsSnapshot {
  readonly conns: number;
  readonly inPackets: number;
  readonly outPackets: number;
  readonly inBytes: number;
  readonly outBytes: number;
  /** Per second. */
  readonly cps: number;
  readonly inPps: number;
  readonly outPps: number;
  readonly inBps: number;
  readonly outBps: number;
}

export interface ServiceEntry extends ServiceConfig {
  readonly stats: StatsSnapshot;
}

export interface DestEntry extends DestConfig {
  readonly active: number;
  readonly inactive: number;
  readonly persistent: number;
  /** Not known where the netlink ABI is between. */
  readonly overloaded?: boolean;
  readonly stats: StatsSnapshot;
}

/** Seconds; 0 in a change means "keep". */
export interface Timeouts {
  readonly tcpSec: number;
  readonly tcpFinSec: number;
  readonly udpSec: number;
}

export const DAEMON_STATE = { MASTER: 1, BACKUP: 2 } as const;

export interface DaemonConfig {
  /** One of DAEMON_STATE. */
  readonly state: number;
  readonly interface: string;
  readonly syncId: number;
  /** Bytes; 0 = default (by the interface's MTU). */
  readonly maxLen: number;
  /** `undefined` = 224.0.0.81. */
  readonly group: Address | undefined;
  /** 0 = 8848. */
  readonly port: number;
  /** 0 = 1. */
  readonly ttl: number;
}
