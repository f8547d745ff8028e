import { AF_INET, addressBytes, addressFromBytes } from '../core/address.ts';
import {
  DAEMON_STATE,
  type DaemonConfig,
  type DestConfig,
  type DestEntry,
  type ServiceConfig,
  type ServiceEntry,
  type ServiceKey,
  type StatsSnapshot,
  type Timeouts,
} from '../core/config.ts';
import { DAEMON_LEN, DEST_ENTRY_LEN, SERVICE_ENTRY_LEN, TIMEOUT_LEN } from './sockopt-abi.ts';

/** Field offsets, in bytes. A service's are those of ip_vs_service_user and the beginning of ip_vs_service_entry. */
const SERVICE = {
  PROTOCOL: 0,
  ADDR: 4,
  PORT: 8,
  FWMARK: 12,
  SCHEDULER: 16,
  FLAGS: 32,
  TIMEOUT: 36,
  NETMASK: 40,
};
const SERVICE_ENTRY = { DESTS: 44, STATS: 48 };
const DEST = { ADDR: 0, PORT: 4, FLAGS: 8, WEIGHT: 12, UPPER: 16, LOWER: 20 };
const DEST_ENTRY = { ACTIVE: 24, INACTIVE: 28, PERSISTENT: 32, STATS: 40 };
const DAEMON = { STATE: 0, INTERFACE: 4, SYNC_ID: 20 };
const NAME_LEN = 16;
const METHOD_MASK = 7;

/** @returns the key of a service; all of them are IPv4. */
export function readKey(bytes: Buffer): ServiceKey {
  const fwmark = bytes.readUInt32LE(SERVICE.FWMARK);
  return {
    family: AF_INET,
    protocol: bytes.readUInt16LE(SERVICE.PROTOCOL),
    addr: addressFromBytes(AF_INET, bytes, SERVICE.ADDR),
    port: bytes.readUInt16BE(SERVICE.PORT),
    fwmark,
  };
}

/** @returns `undefined` if the scheduler's name has no end */
export function readService(bytes: Buffer): ServiceConfig | undefined {
  const scheduler = readName(bytes, SERVICE.SCHEDULER);
  if (scheduler === undefined) return undefined;
  return {
    ...readKey(bytes),
    scheduler,
    flags: bytes.readUInt32LE(SERVICE.FLAGS),
    timeoutSec: bytes.readUInt32LE(SERVICE.TIMEOUT),
    netmask: bytes.readUInt32BE(SERVICE.NETMASK),
    pe: '',
  };
}

export function readDest(bytes: Buffer): DestConfig {
  return {
    addr: addressFromBytes(AF_INET, bytes, DEST.ADDR),
    port: bytes.readUInt16BE(DEST.PORT),
    method: bytes.readUInt32LE(DEST.FLAGS) & METHOD_MASK,
    weight: bytes.readInt32LE(DEST.WEIGHT),
    upperThreshold: bytes.readUInt32LE(DEST.UPPER),
    lowerThreshold: bytes.readUInt32LE(DEST.LOWER),
    tunnelType: 0,
    tunnelPort: 0,
    tunnelFlags: 0,
  };
}

export function readTimeouts(bytes: Buffer): Timeouts {
  return {
    tcpSec: bytes.readInt32LE(0),
    tcpFinSec: bytes.readInt32LE(4),
    udpSec: bytes.readInt32LE(8),
  };
}

export function readDaemon(bytes: Buffer): DaemonConfig {
  return {
    state: bytes.readInt32LE(DAEMON.STATE),
    interface: readName(bytes, DAEMON.INTERFACE) ?? '',
    syncId: bytes.readInt32LE(DAEMON.SYNC_ID),
    maxLen: 0,
    group: undefined,
    port: 0,
    ttl: 0,
  };
}

export function serviceEntry(service: ServiceEntry, destCount: number): Buffer {
  const bytes = Buffer.alloc(SERVICE_ENTRY_LEN);
  bytes.writeUInt16LE(service.protocol, SERVICE.PROTOCOL);
  bytes.set(addressBytes(service.addr), SERVICE.ADDR);
  bytes.writeUInt16BE(service.port, SERVICE.PORT);
  bytes.writeUInt32LE(service.fwmark, SERVICE.FWMARK);
  bytes.write(service.scheduler, SERVICE.SCHEDULER, NAME_LEN, 'latin1');
  bytes.writeUInt32LE(service.flags >>> 0, SERVICE.FLAGS);
  bytes.writeUInt32LE(service.timeoutSec, SERVICE.TIMEOUT);
  bytes.writeUInt32BE(service.netmask >>> 0, SERVICE.NETMASK);
  bytes.writeUInt32LE(destCount, SERVICE_ENTRY.DESTS);
  writeStats(bytes, SERVICE_ENTRY.STATS, service.stats);
  return bytes;
}

export function destEntry(dest: DestEntry): Buffer {
  const bytes = Buffer.alloc(DEST_ENTRY_LEN);
  bytes.set(addressBytes(dest.addr), DEST.ADDR);
  bytes.writeUInt16BE(dest.port, DEST.PORT);
  bytes.writeUInt32LE(dest.method, DEST.FLAGS);
  bytes.writeInt32LE(dest.weight, DEST.WEIGHT);
  bytes.writeUInt32LE(dest.upperThreshold, DEST.UPPER);
  bytes.writeUInt32LE(dest.lowerThreshold, DEST.LOWER);
  bytes.writeUInt32LE(dest.active, DEST_ENTRY.ACTIVE);
  bytes.writeUInt32LE(dest.inactive, DEST_ENTRY.INACTIVE);
  bytes.writeUInt32LE(dest.persistent, DEST_ENTRY.PERSISTENT);
  writeStats(bytes, DEST_ENTRY.STATS, dest.stats);
  return bytes;
}

export function timeoutsBytes(timeouts: Timeouts): Buffer {
  const bytes = Buffer.alloc(TIMEOUT_LEN);
  bytes.writeInt32LE(timeouts.tcpSec, 0);
  bytes.writeInt32LE(timeouts.tcpFinSec, 4);
  bytes.writeInt32LE(timeouts.udpSec, 8);
  return bytes;
}

/** Two structures: of the master and of the backup; zeros for the one that does not run. */
export function daemonsBytes(daemons: readonly DaemonConfig[]): Buffer {
  const bytes = Buffer.alloc(2 * DAEMON_LEN);
  for (const daemon of daemons) {
    const at = daemon.state === DAEMON_STATE.BACKUP ? DAEMON_LEN : 0;
    bytes.writeInt32LE(daemon.state, at + DAEMON.STATE);
    bytes.write(daemon.interface, at + DAEMON.INTERFACE, NAME_LEN, 'latin1');
    bytes.writeInt32LE(daemon.syncId, at + DAEMON.SYNC_ID);
  }
  return bytes;
}

/** struct ip_vs_stats_user: numbers that fit 32 bits lose the bits above. */
function writeStats(bytes: Buffer, at: number, stats: StatsSnapshot): void {
  const u32 = (offset: number, value: number): void => {
    bytes.writeUInt32LE(value % 2 ** 32, at + offset);
  };
  u32(0, stats.conns);
  u32(4, stats.inPackets);
  u32(8, stats.outPackets);
  bytes.writeBigUInt64LE(BigInt(stats.inBytes), at + 16);
  bytes.writeBigUInt64LE(BigInt(stats.outBytes), at + 24);
  u32(32, stats.cps);
  u32(36, stats.inPps);
  u32(40, stats.outPps);
  u32(44, stats.inBps);
  u32(48, stats.outBps);
}

function readName(bytes: Buffer, at: number): string | undefined {
  const end = bytes.indexOf(0, at);
  return end < 0 || end >= at + NAME_LEN ? undefined : bytes.toString('latin1', at, end);
}
