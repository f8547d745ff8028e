import { type Address, AF_INET6, ipv4 } from './address.ts';
import { DAEMON_STATE, type DaemonConfig } from './config.ts';
import { IpvsError } from './errors.ts';
import type { Host } from './host.ts';

const DEFAULT_GROUP = ipv4(0xe0000051);
const DEFAULT_PORT = 8848;
const DEFAULT_TTL = 1;
const ETHERNET_MTU = 1500;
const MAX_DATAGRAM = 65535;
/** IP and UDP headers in bytes. */
const HEADERS4 = 28;
const HEADERS6 = 48;

/** Configuration of the two synchronisation daemons (ip_vs_sync.c, start_sync_thread). */
export class SyncDaemons {
  private readonly running: (DaemonConfig | undefined)[] = [undefined, undefined];
  private readonly host: Host;

  constructor(host: Host) {
    this.host = host;
  }

  get runs(): boolean {
    return this.running.some((daemon) => daemon !== undefined);
  }

  get isBackup(): boolean {
    return this.running[DAEMON_STATE.BACKUP - 1] !== undefined;
  }

  /** Master first. */
  list(): DaemonConfig[] {
    return this.running.filter((daemon) => daemon !== undefined);
  }

  /**
   * @param mixedFamilyCount servers of another family than their service's; none may be there
   * @throws IpvsError EINVAL, ENODEV, EEXIST, ENETUNREACH
   */
  start(daemon: DaemonConfig, mixedFamilyCount: number): void {
    if (mixedFamilyCount > 0) {
      throw new IpvsError('EINVAL', 'no sync daemon while a server is of another family than its service');
    }
    const mtu = this.host.interfaceMtu(daemon.interface);
    checkState(daemon.state);
    if (mtu === undefined) throw new IpvsError('ENODEV', `there is no interface '${daemon.interface}'`);
    const full = completed(daemon, mtu);
    if (!isMulticast(full.group)) throw new IpvsError('EINVAL', 'the group is not a multicast address');
    if (this.running[daemon.state - 1]) throw new IpvsError('EEXIST', 'the daemon runs already');
    const problem = this.host.multicastProblem(full);
    if (problem) throw new IpvsError(problem, `the group cannot be used on '${daemon.interface}'`);
    this.running[daemon.state - 1] = full;
  }

  /**
   * Starts a daemon that was started before the director's own start: its interface may be missing for now.
   * @throws IpvsError EINVAL
   */
  restore(daemon: DaemonConfig): void {
    checkState(daemon.state);
    this.running[daemon.state - 1] = completed(
      daemon,
      this.host.interfaceMtu(daemon.interface) ?? ETHERNET_MTU,
    );
  }

  /** @throws IpvsError ESRCH, EINVAL */
  stop(state: number): void {
    checkState(state);
    if (!this.running[state - 1]) throw new IpvsError('ESRCH', 'the daemon does not run');
    this.running[state - 1] = undefined;
  }
}

function checkState(state: number): void {
  if (state !== DAEMON_STATE.MASTER && state !== DAEMON_STATE.BACKUP)
    throw new IpvsError('EINVAL', 'a sync daemon is a master or a backup');
}

/** With the defaults of what was left out. */
function completed(daemon: DaemonConfig, mtu: number): DaemonConfig & { readonly group: Address } {
  const group = daemon.group ?? DEFAULT_GROUP;
  return {
    ...daemon,
    group,
    port: daemon.port || DEFAULT_PORT,
    ttl: daemon.ttl || DEFAULT_TTL,
    maxLen: messageLength(daemon, mtu, group.family === AF_INET6 ? HEADERS6 : HEADERS4),
  };
}

const isMulticast = ({ family, words }: Address): boolean =>
  family === AF_INET6 ? words[0] >>> 24 === 0xff : words[0] >>> 28 === 14;

/** Bytes of payload: a given value within the range of its kind, else by the MTU. */
function messageLength({ state, maxLen }: DaemonConfig, mtu: number, headers: number): number {
  const clamp = (value: number, min: number, max: number): number => Math.min(Math.max(value, min), max);
  const isMaster = state === DAEMON_STATE.MASTER;
  if (maxLen > 0) return clamp(maxLen, isMaster ? 1 : 1024, MAX_DATAGRAM - headers);
  return (isMaster ? ETHERNET_MTU : clamp(mtu, ETHERNET_MTU, MAX_DATAGRAM)) - headers;
}
