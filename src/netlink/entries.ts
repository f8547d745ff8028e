import { AF_INET, addressBytes, ipv4 } from '../core/address.ts';
import {
  type DaemonConfig,
  type DestConfig,
  type DestEntry,
  type DestKey,
  SERVICE_FLAG,
  type ServiceConfig,
  type ServiceEntry,
  type ServiceKey,
  type StatsSnapshot,
  type Timeouts,
} from '../core/config.ts';
import { ATTR, DAEMON, DEST, SERVICE, STATS } from './ipvs-abi.ts';
import type { MessageWriter } from './writer.ts';

/** In requests nested attributes say that they are. */
const NESTED_BIT = 0x8000;

/** Group of a daemon for which none is given: 224.0.0.81. */
const DEFAULT_GROUP = ipv4(0xe0000051);

/** Writes a service as listings show it, in the kernel's order of attributes. */
export function writeServiceEntry(writer: MessageWriter, entry: ServiceEntry): void {
  writer.nest(ATTR.SERVICE, () => {
    writeServiceId(writer, entry);
    const scheduler = entry.scheduler === '' ? 'none' : entry.scheduler;
    writeServiceRest(writer, entry, scheduler, entry.flags | SERVICE_FLAG.HASHED, 0xffffffff);
    writer.nest(SERVICE.STATS, () => writeStats(writer, entry.stats));
    writer.nest(SERVICE.STATS64, () => writeStats64(writer, entry.stats));
  });
}

/** Writes what identifies a service, as a request does. */
export function writeServiceKey(writer: MessageWriter, key: ServiceKey): void {
  writer.nest(ATTR.SERVICE | NESTED_BIT, () => writeServiceId(writer, key));
}

/** Writes a whole service, as a request does. */
export function writeServiceConfig(writer: MessageWriter, config: ServiceConfig, flagsMask: number): void {
  writer.nest(ATTR.SERVICE | NESTED_BIT, () => {
    writeServiceId(writer, config);
    writeServiceRest(writer, config, config.scheduler, config.flags, flagsMask);
  });
}

/** Writes a destination as listings show it, in the kernel's order of attributes. */
export function writeDestEntry(writer: MessageWriter, entry: DestEntry): void {
  writer.nest(ATTR.DEST, () => {
    writeDestId(writer, entry);
    writer.attrU32(DEST.FWD_METHOD, entry.method).attrU32(DEST.WEIGHT, entry.weight);
    writeTunnel(writer, entry);
    writer
      .attrU32(DEST.U_THRESH, entry.upperThreshold)
      .attrU32(DEST.L_THRESH, entry.lowerThreshold)
      .attrU32(DEST.ACTIVE_CONNS, entry.active)
      .attrU32(DEST.INACT_CONNS, entry.inactive)
      .attrU32(DEST.PERSIST_CONNS, entry.persistent)
      .attrU16(DEST.ADDR_FAMILY, entry.addr.family)
      .nest(DEST.STATS, () => writeStats(writer, entry.stats))
      .nest(DEST.STATS64, () => writeStats64(writer, entry.stats));
  });
}

/** Writes what identifies a destination, as a request does. */
export function writeDestKey(writer: MessageWriter, key: DestKey): void {
  writer.nest(ATTR.DEST | NESTED_BIT, () => {
    writeDestId(writer, key);
    writer.attrU16(DEST.ADDR_FAMILY, key.addr.family);
  });
}

/** Writes a whole destination, as a request does. */
export function writeDestConfig(writer: MessageWriter, config: DestConfig): void {
  writer.nest(ATTR.DEST | NESTED_BIT, () => {
    writeDestId(writer, config);
    writer
      .attrU16(DEST.ADDR_FAMILY, config.addr.family)
      .attrU32(DEST.FWD_METHOD, config.method)
      .attrU32(DEST.WEIGHT, config.weight)
      .attrU32(DEST.U_THRESH, config.upperThreshold)
      .attrU32(DEST.L_THRESH, config.lowerThreshold);
    writeTunnel(writer, config);
  });
}

/** Writes a running daemon. A group always is there, as the kernel's defaults are. */
export function writeDaemonEntry(writer: MessageWriter, daemon: DaemonConfig): void {
  writer.nest(ATTR.DAEMON, () => {
    writeDaemon(writer, { ...daemon, group: daemon.group ?? DEFAULT_GROUP });
  });
}

/** Writes a daemon to be started, as a request does; without a group it is left to the default. */
export function writeDaemonConfig(writer: MessageWriter, daemon: DaemonConfig): void {
  writer.nest(ATTR.DAEMON | NESTED_BIT, () => writeDaemon(writer, daemon));
}

/** Writes what a daemon is stopped by. */
export function writeDaemonState(writer: MessageWriter, state: number): void {
  writer.nest(ATTR.DAEMON | NESTED_BIT, () => writer.attrU32(DAEMON.STATE, state));
}

export function writeTimeouts(writer: MessageWriter, timeouts: Timeouts): void {
  writer
    .attrU32(ATTR.TIMEOUT_TCP, timeouts.tcpSec)
    .attrU32(ATTR.TIMEOUT_TCP_FIN, timeouts.tcpFinSec)
    .attrU32(ATTR.TIMEOUT_UDP, timeouts.udpSec);
}

function writeServiceId(writer: MessageWriter, key: ServiceKey): void {
  writer.attrU16(SERVICE.AF, key.family);
  if (key.fwmark !== 0) {
    writer.attrU32(SERVICE.FWMARK, key.fwmark);
    return;
  }
  writer
    .attrU16(SERVICE.PROTOCOL, key.protocol)
    .attrAddress(SERVICE.ADDR, key.addr)
    .attrBe16(SERVICE.PORT, key.port);
}

function writeServiceRest(
  writer: MessageWriter,
  config: ServiceConfig,
  scheduler: string,
  flags: number,
  mask: number,
): void {
  writer.attrText(SERVICE.SCHED_NAME, scheduler);
  if (config.pe !== '') writer.attrText(SERVICE.PE_NAME, config.pe);
  writer.attrTwoU32(SERVICE.FLAGS, flags, mask).attrU32(SERVICE.TIMEOUT, config.timeoutSec);
  if (config.family === AF_INET) writer.attrBe32(SERVICE.NETMASK, config.netmask);
  else writer.attrU32(SERVICE.NETMASK, config.netmask);
}

function writeDestId(writer: MessageWriter, key: DestKey): void {
  writer.attrAddress(DEST.ADDR, key.addr).attrBe16(DEST.PORT, key.port);
}

function writeTunnel(writer: MessageWriter, config: DestConfig): void {
  writer
    .attrU8(DEST.TUN_TYPE, config.tunnelType)
    .attrBe16(DEST.TUN_PORT, config.tunnelPort)
    .attrU16(DEST.TUN_FLAGS, config.tunnelFlags);
}

function writeDaemon(writer: MessageWriter, daemon: DaemonConfig): void {
  writer
    .attrU32(DAEMON.STATE, daemon.state)
    .attrText(DAEMON.MCAST_IFN, daemon.interface)
    .attrU32(DAEMON.SYNC_ID, daemon.syncId)
    .attrU16(DAEMON.SYNC_MAXLEN, daemon.maxLen)
    .attrU16(DAEMON.MCAST_PORT, daemon.port)
    .attrU8(DAEMON.MCAST_TTL, daemon.ttl);
  if (!daemon.group) return;
  const type = daemon.group.family === AF_INET ? DAEMON.MCAST_GROUP : DAEMON.MCAST_GROUP6;
  writer.attrBytes(type, addressBytes(daemon.group));
}

function writeStats(writer: MessageWriter, stats: StatsSnapshot): void {
  writer
    .attrU32(STATS.CONNS, stats.conns)
    .attrU32(STATS.INPKTS, stats.inPackets)
    .attrU32(STATS.OUTPKTS, stats.outPackets)
    .attrU64(STATS.INBYTES, stats.inBytes, STATS.PAD)
    .attrU64(STATS.OUTBYTES, stats.outBytes, STATS.PAD)
    .attrU32(STATS.CPS, stats.cps)
    .attrU32(STATS.INPPS, stats.inPps)
    .attrU32(STATS.OUTPPS, stats.outPps)
    .attrU32(STATS.INBPS, stats.inBps)
    .attrU32(STATS.OUTBPS, stats.outBps);
}

function writeStats64(writer: MessageWriter, stats: StatsSnapshot): void {
  writer
    .attrU64(STATS.CONNS, stats.conns, STATS.PAD)
    .attrU64(STATS.INPKTS, stats.inPackets, STATS.PAD)
    .attrU64(STATS.OUTPKTS, stats.outPackets, STATS.PAD)
    .attrU64(STATS.INBYTES, stats.inBytes, STATS.PAD)
    .attrU64(STATS.OUTBYTES, stats.outBytes, STATS.PAD)
    .attrU64(STATS.CPS, stats.cps, STATS.PAD)
    .attrU64(STATS.INPPS, stats.inPps, STATS.PAD)
    .attrU64(STATS.OUTPPS, stats.outPps, STATS.PAD)
    .attrU64(STATS.INBPS, stats.inBps, STATS.PAD)
    .attrU64(STATS.OUTBPS, stats.outBps, STATS.PAD);
}
