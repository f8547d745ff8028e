import { AF_INET } from '../core/address.ts';
import {
  type DaemonConfig,
  type DestEntry,
  SERVICE_FLAG,
  type ServiceEntry,
  type StatsSnapshot,
  type Timeouts,
} from '../core/config.ts';
import { errnoName, IpvsError } from '../core/errors.ts';
import { type Attributes, type Policy, readAttributes } from './attributes.ts';
import {
  ATTR,
  DAEMON_POLICY,
  DEST,
  DEST_POLICY,
  SERVICE,
  SERVICE_POLICY,
  STATS,
  STATS64_POLICY,
} from './ipvs-abi.ts';
import {
  daemonConfig,
  destConfig,
  knownFamily,
  serviceFlags,
  serviceKey,
  serviceSettings,
} from './requests.ts';
import {
  align4,
  ERROR_ATTRIBUTE,
  FLAG,
  HEADER_LEN,
  type Message,
  readMessages,
  someMessageType,
  TYPE,
  viewOf,
} from './wire.ts';

const ERROR_POLICY: Policy = { [ERROR_ATTRIBUTE.MSG]: { kind: 'text', max: 65535 } };

/** Bytes of an error's payload before the echoed request. */
const ERRNO_LEN = 4;

/**
 * Tells a transport that an exchange is complete: the datagram holds an acknowledgement, an error or the end of a
 * dump. It holds for requests that ask for an acknowledgement or a dump, as all of `connectDirector` do.
 */
export function endsExchange(datagram: Uint8Array): boolean {
  return someMessageType(datagram, (type) => type === TYPE.ERROR || type === TYPE.DONE);
}

/**
 * Takes the answers out of the replies to one request.
 * @throws IpvsError what the director answered, or EIO if its answer is cut off
 */
export function readReplies(datagrams: readonly Uint8Array[], family: number): Message[] {
  const answers: Message[] = [];
  for (const message of datagrams.flatMap(readMessages)) {
    if (message.type === family) answers.push(message);
    else if (message.type === TYPE.DONE) return answers;
    else if (message.type === TYPE.ERROR) {
      const error = readError(message);
      if (error) throw error;
      return answers;
    }
  }
  throw broken();
}

/** The error for a reply that is not what the protocol says. */
export function broken(): IpvsError {
  return new IpvsError('EIO', "the director's answer is malformed");
}

/** @throws IpvsError for a malformed entry */
export function readServiceEntry(attributes: Attributes): ServiceEntry {
  const inner = nested(attributes, ATTR.SERVICE, SERVICE_POLICY);
  const key = serviceKey(inner);
  const [flags] = serviceFlags(inner);
  return {
    ...key,
    ...serviceSettings(inner, key.family),
    flags: (flags & ~SERVICE_FLAG.HASHED) >>> 0,
    stats: readStats(inner.nested(SERVICE.STATS64, STATS64_POLICY)),
  };
}

/** @throws IpvsError for a malformed entry */
export function readDestEntry(attributes: Attributes): DestEntry {
  const inner = nested(attributes, ATTR.DEST, DEST_POLICY);
  const family = knownFamily(inner.u16(DEST.ADDR_FAMILY) || AF_INET);
  if (family === undefined) throw broken();
  const config = destConfig(inner, family);
  // Spelled out: spreading an object takes longer than reading all of it from the message.
  return {
    addr: config.addr,
    port: config.port,
    weight: config.weight,
    method: config.method,
    upperThreshold: config.upperThreshold,
    lowerThreshold: config.lowerThreshold,
    tunnelType: config.tunnelType,
    tunnelPort: config.tunnelPort,
    tunnelFlags: config.tunnelFlags,
    active: inner.u32(DEST.ACTIVE_CONNS),
    inactive: inner.u32(DEST.INACT_CONNS),
    persistent: inner.u32(DEST.PERSIST_CONNS),
    stats: readStats(inner.nested(DEST.STATS64, STATS64_POLICY)),
  };
}

/** @throws IpvsError for a malformed entry */
export function readDaemonEntry(attributes: Attributes): DaemonConfig {
  return daemonConfig(nested(attributes, ATTR.DAEMON, DAEMON_POLICY));
}

export function readTimeoutsReply(attributes: Attributes): Timeouts {
  return {
    tcpSec: attributes.u32(ATTR.TIMEOUT_TCP),
    tcpFinSec: attributes.u32(ATTR.TIMEOUT_TCP_FIN),
    udpSec: attributes.u32(ATTR.TIMEOUT_UDP),
  };
}

function nested(attributes: Attributes, type: number, policy: Policy): Attributes {
  const bytes = attributes.bytes(type);
  const inner = bytes && readAttributes(bytes, policy);
  if (!inner || typeof inner === 'string') throw broken();
  return inner;
}

function readStats(stats: Attributes): StatsSnapshot {
  return {
    conns: stats.u64(STATS.CONNS),
    inPackets: stats.u64(STATS.INPKTS),
    outPackets: stats.u64(STATS.OUTPKTS),
    inBytes: stats.u64(STATS.INBYTES),
    outBytes: stats.u64(STATS.OUTBYTES),
    cps: stats.u64(STATS.CPS),
    inPps: stats.u64(STATS.INPPS),
    outPps: stats.u64(STATS.OUTPPS),
    inBps: stats.u64(STATS.INBPS),
    outBps: stats.u64(STATS.OUTBPS),
  };
}

/** @returns `undefined` for an acknowledgement. The reason is the director's if it gave one, else the errno's name. */
function readError(message: Message): IpvsError | undefined {
  if (message.payload.length < ERRNO_LEN + HEADER_LEN) throw broken();
  const view = viewOf(message.payload);
  const number = -view.getInt32(0, true);
  if (number === 0) return undefined;
  const errno = errnoName(number) ?? 'EIO';
  return new IpvsError(errno, readReason(message) ?? `${errno} (${number})`);
}

function readReason(message: Message): string | undefined {
  if (!(message.flags & FLAG.ACK_TLVS)) return undefined;
  const echoed =
    message.flags & FLAG.CAPPED ? HEADER_LEN : viewOf(message.payload).getUint32(ERRNO_LEN, true);
  const attributes = readAttributes(message.payload.subarray(ERRNO_LEN + align4(echoed)), ERROR_POLICY);
  return typeof attributes === 'string' ? undefined : attributes.text(ERROR_ATTRIBUTE.MSG) || undefined;
}
