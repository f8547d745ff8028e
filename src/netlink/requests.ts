import { AF_INET, AF_INET6, addressFromBytes, type Family, ipv4 } from '../core/address.ts';
import {
  type DaemonConfig,
  type DestConfig,
  type DestKey,
  PROTOCOL,
  type ServiceConfig,
  type ServiceKey,
  type Timeouts,
} from '../core/config.ts';
import { IpvsError } from '../core/errors.ts';
import { type Attributes, readAttributes } from './attributes.ts';
import { ATTR, DAEMON, DAEMON_POLICY, DEST, DEST_POLICY, SERVICE, SERVICE_POLICY } from './ipvs-abi.ts';

/** FWD_METHOD carries more of a connection's flags; only these bits are the method. */
export const METHOD_MASK = 7;

/** A whole service as NEW_SERVICE and SET_SERVICE give it. */
export interface ServiceRequest {
  readonly service: ServiceConfig;
  readonly flagsMask: number;
}

/**
 * Reads what identifies a service.
 * @throws IpvsError EINVAL, EAFNOSUPPORT
 */
export function readServiceKey(attributes: Attributes): ServiceKey {
  return serviceKey(serviceAttributes(attributes));
}

/**
 * Reads a whole service.
 * @throws IpvsError EINVAL, EAFNOSUPPORT
 */
export function readServiceConfig(attributes: Attributes): ServiceRequest {
  const inner = serviceAttributes(attributes);
  const key = serviceKey(inner);
  if (!inner.has(SERVICE.SCHED_NAME, SERVICE.FLAGS, SERVICE.TIMEOUT, SERVICE.NETMASK)) {
    throw new IpvsError('EINVAL', 'a service needs scheduler, flags, time-out and netmask');
  }
  const [flags, flagsMask] = serviceFlags(inner);
  return { service: { ...key, ...serviceSettings(inner, key.family), flags }, flagsMask };
}

/** Reads the two words of FLAGS: the flags, and which of them count. */
export function serviceFlags(service: Attributes): [number, number] {
  const words = service.padded(SERVICE.FLAGS, 8);
  const view = new DataView(words.buffer);
  return [view.getUint32(0, true), view.getUint32(4, true)];
}

/** Reads what a service has besides its identity and flags. */
export function serviceSettings(
  service: Attributes,
  family: Family,
): Pick<ServiceConfig, 'scheduler' | 'pe' | 'timeoutSec' | 'netmask'> {
  return {
    scheduler: service.text(SERVICE.SCHED_NAME),
    pe: service.text(SERVICE.PE_NAME),
    timeoutSec: service.u32(SERVICE.TIMEOUT),
    netmask: family === AF_INET ? service.be32(SERVICE.NETMASK) : service.u32(SERVICE.NETMASK),
  };
}

/**
 * Reads the identity of a service from its own attributes. With a firewall mark the rest of it is that of a TCP
 * service on no address.
 * @throws IpvsError EINVAL, EAFNOSUPPORT
 */
export function serviceKey(service: Attributes): ServiceKey {
  const isMarked = service.has(SERVICE.FWMARK);
  if (!service.has(SERVICE.AF) || !(isMarked || service.has(SERVICE.PROTOCOL, SERVICE.ADDR, SERVICE.PORT))) {
    throw new IpvsError('EINVAL', 'a service needs a family and a mark, or protocol, address and port');
  }
  const family = knownFamily(service.u16(SERVICE.AF));
  if (family === undefined) throw new IpvsError('EAFNOSUPPORT', 'a service is of IPv4 or IPv6');
  if (isMarked) {
    const addr = addressFromBytes(family, new Uint8Array(0));
    return { family, protocol: PROTOCOL.TCP, addr, port: 0, fwmark: service.u32(SERVICE.FWMARK) };
  }
  return {
    family,
    protocol: service.u16(SERVICE.PROTOCOL),
    addr: service.address(SERVICE.ADDR, family),
    port: service.be16(SERVICE.PORT),
    fwmark: 0,
  };
}

/**
 * What a request says about a server: `malformed` or incomplete, of a family that no server can have, or good. The
 * errnos of the first two come only after the service was found.
 */
export type DestRequest<T> = 'malformed' | 'bad-family' | T;

/** @param serviceFamily the server's family if the request gives none */
export function readDestKey(attributes: Attributes, serviceFamily: Family): DestRequest<DestKey> {
  return readDest(attributes, serviceFamily, [DEST.ADDR, DEST.PORT], destKey);
}

/** @param serviceFamily the server's family if the request gives none */
export function readDestConfig(attributes: Attributes, serviceFamily: Family): DestRequest<DestConfig> {
  const { ADDR, PORT, FWD_METHOD, WEIGHT, U_THRESH, L_THRESH } = DEST;
  return readDest(
    attributes,
    serviceFamily,
    [ADDR, PORT, FWD_METHOD, WEIGHT, U_THRESH, L_THRESH],
    destConfig,
  );
}

function destKey(dest: Attributes, family: Family): DestKey {
  return { addr: dest.address(DEST.ADDR, family), port: dest.be16(DEST.PORT) };
}

function destConfig(dest: Attributes, family: Family): DestConfig {
  return {
    addr: dest.address(DEST.ADDR, family),
    port: dest.be16(DEST.PORT),
    method: dest.u32(DEST.FWD_METHOD) & METHOD_MASK,
    weight: dest.i32(DEST.WEIGHT),
    upperThreshold: dest.u32(DEST.U_THRESH),
    lowerThreshold: dest.u32(DEST.L_THRESH),
    tunnelType: dest.u8(DEST.TUN_TYPE),
    tunnelPort: dest.be16(DEST.TUN_PORT),
    tunnelFlags: dest.u16(DEST.TUN_FLAGS),
  };
}

/**
 * Reads a daemon to be started.
 * @throws IpvsError EINVAL
 */
export function readDaemonConfig(attributes: Attributes): DaemonConfig {
  const inner = daemonAttributes(attributes);
  if (!inner.has(DAEMON.STATE, DAEMON.MCAST_IFN, DAEMON.SYNC_ID)) {
    throw new IpvsError('EINVAL', 'a daemon needs state, interface and number');
  }
  return daemonConfig(inner);
}

/**
 * Reads which daemon is to be stopped.
 * @throws IpvsError EINVAL
 */
export function readDaemonState(attributes: Attributes): number {
  const inner = daemonAttributes(attributes);
  if (!inner.has(DAEMON.STATE)) throw new IpvsError('EINVAL', 'it is not said which daemon');
  return inner.u32(DAEMON.STATE);
}

/** Of two groups the IPv4 one counts. */
export function daemonConfig(daemon: Attributes): DaemonConfig {
  const group = daemon.has(DAEMON.MCAST_GROUP)
    ? ipv4(daemon.be32(DAEMON.MCAST_GROUP))
    : daemon.has(DAEMON.MCAST_GROUP6)
      ? daemon.address(DAEMON.MCAST_GROUP6, AF_INET6)
      : undefined;
  return {
    state: daemon.u32(DAEMON.STATE),
    interface: daemon.text(DAEMON.MCAST_IFN),
    syncId: daemon.u32(DAEMON.SYNC_ID),
    maxLen: daemon.u16(DAEMON.SYNC_MAXLEN),
    group,
    port: daemon.u16(DAEMON.MCAST_PORT),
    ttl: daemon.u8(DAEMON.MCAST_TTL),
  };
}

/** Time-outs are signed in the kernel; one that is not given reads as 0, which keeps it. */
export function readTimeouts(attributes: Attributes): Timeouts {
  return {
    tcpSec: attributes.i32(ATTR.TIMEOUT_TCP),
    tcpFinSec: attributes.i32(ATTR.TIMEOUT_TCP_FIN),
    udpSec: attributes.i32(ATTR.TIMEOUT_UDP),
  };
}

/** @returns `undefined` for a number that IPVS has no family for. */
export function knownFamily(number: number): Family | undefined {
  return number === AF_INET || number === AF_INET6 ? number : undefined;
}

function serviceAttributes(attributes: Attributes): Attributes {
  const bytes = attributes.bytes(ATTR.SERVICE);
  const inner = bytes && readAttributes(bytes, SERVICE_POLICY);
  if (!inner || typeof inner === 'string')
    throw new IpvsError('EINVAL', 'the service is missing or malformed');
  return inner;
}

function daemonAttributes(attributes: Attributes): Attributes {
  const bytes = attributes.bytes(ATTR.DAEMON);
  const inner = bytes && readAttributes(bytes, DAEMON_POLICY);
  if (!inner || typeof inner === 'string')
    throw new IpvsError('EINVAL', 'the daemon is missing or malformed');
  return inner;
}

function readDest<T>(
  attributes: Attributes,
  serviceFamily: Family,
  mandatory: readonly number[],
  read: (dest: Attributes, family: Family) => T,
): DestRequest<T> {
  const bytes = attributes.bytes(ATTR.DEST);
  const inner = bytes && readAttributes(bytes, DEST_POLICY);
  if (!inner || typeof inner === 'string' || !inner.has(...mandatory)) return 'malformed';
  const family = knownFamily(inner.u16(DEST.ADDR_FAMILY) || serviceFamily);
  return family === undefined ? 'bad-family' : read(inner, family);
}
