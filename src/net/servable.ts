import { type Address, AF_INET6, formatAddress, isUnspecified } from '../core/address.ts';
import { METHOD, PROTOCOL, SERVICE_FLAG, type ServiceKey } from '../core/config.ts';
import { ERRNO, type Errno, IpvsError } from '../core/errors.ts';
import type { ServiceView } from './service-view.ts';

/** A reason for people, and the errno it is refused with; `undefined` where a change is accepted all the same. */
export interface Obstacle {
  readonly errno: Errno | undefined;
  readonly reason: string;
}

/** What a service asks for beside its address. */
export interface Features {
  /** SERVICE_FLAG bits. */
  readonly flags: number;
  /** Persistence engine, '' for none; without persistence it has no effect. */
  readonly pe: string;
}

/** @returns the feature that sockets cannot give a service, or `undefined` */
export function featureObstacle({ flags, pe }: Features): string | undefined {
  if ((flags & SERVICE_FLAG.ONE_PACKET) !== 0) return 'one-packet scheduling';
  return pe !== '' && (flags & SERVICE_FLAG.PERSISTENT) !== 0 ? `persistence engine ${pe}` : undefined;
}

/** @returns why sockets can never serve such a service, or `undefined` if they can. */
export function obstacle(service: ServiceKey & Features): Obstacle | undefined {
  if (service.fwmark !== 0) return { errno: 'EOPNOTSUPP', reason: `firewall mark ${service.fwmark}` };
  if (service.protocol !== PROTOCOL.TCP && service.protocol !== PROTOCOL.UDP)
    return { errno: 'EPROTONOSUPPORT', reason: protocolName(service.protocol) };
  if (service.port === 0) return { errno: 'EOPNOTSUPP', reason: 'port 0' };
  const feature = featureObstacle(service);
  if (feature !== undefined) return { errno: 'EOPNOTSUPP', reason: feature };
  if (isUnspecified(service.addr))
    return { errno: undefined, reason: `address ${formatAddress(service.addr)}` };
  return undefined;
}

/** @returns why this plane does not serve the service as it is configured, or `undefined` if it does. */
export function unservableReason(service: ServiceView): string | undefined {
  const byItself = obstacle(service);
  if (byItself !== undefined) return byItself.reason;
  const other = service.dests.find((dest) => dest.method !== METHOD.MASQ);
  return other && `server ${endpoint(other.addr, other.port)} is not masqueraded`;
}

export function needsPacketPlane(errno: Errno, what: string): IpvsError {
  return new IpvsError(errno, `the proxy plane cannot serve ${what}: needs the packet plane`);
}

/** The refusal that a failed listen is answered with; `code` is the errno's name. */
export function bindRefusal(service: ServiceKey, code: string): IpvsError {
  const where = `${protocolName(service.protocol)} ${endpoint(service.addr, service.port)}`;
  if (code === 'EADDRINUSE') return new IpvsError(code, `${where} is in use by another socket`);
  if (code === 'EACCES') {
    const hint = 'ports below net.ipv4.ip_unprivileged_port_start need CAP_NET_BIND_SERVICE';
    return new IpvsError(code, `may not listen on ${where}: ${hint}`);
  }
  return new IpvsError(code in ERRNO ? (code as Errno) : 'EIO', `cannot listen on ${where}: ${code}`);
}

/** @returns the serving state of a service whose listen failed with this errno. */
export function stateOfFailure(code: string): string {
  if (code === 'EADDRNOTAVAIL') return 'waiting: address';
  if (code === 'EADDRINUSE' || code === 'EACCES') return 'waiting: port';
  return `unservable: ${code}`;
}

/** `address:port`, an IPv6 address in brackets. */
export function endpoint(addr: Address, port: number): string {
  const text = formatAddress(addr);
  return addr.family === AF_INET6 ? `[${text}]:${port}` : `${text}:${port}`;
}

function protocolName(protocol: number): string {
  if (protocol === PROTOCOL.TCP) return 'TCP';
  if (protocol === PROTOCOL.UDP) return 'UDP';
  return protocol === PROTOCOL.SCTP ? 'SCTP' : `IP protocol ${protocol}`;
}
