import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { type Address, AF_INET, AF_INET6, parseAddress, sameAddress } from '../core/address.ts';
import { DAEMON_STATE, type DaemonConfig } from '../core/config.ts';
import type { Errno } from '../core/errors.ts';
import type { Host } from '../core/host.ts';
import { monotonicNow } from './clock.ts';

const LOOPBACK_MTU = 65536;
const DEFAULT_MTU = 1500;
const KIB_PER_PAGE = 4;

/** Asking the system takes longer than a whole change of the configuration: what it said holds for a second. */
const CACHE_MS = 1000;

/** The machine (or network namespace) this process runs in. */
export class SystemHost implements Host {
  private cached: readonly LocalAddress[] = [];
  private cachedAt = Number.NEGATIVE_INFINITY;

  isLocal(address: Address): boolean {
    if (address.family === AF_INET && address.words[0] >>> 24 === 127) return true;
    return this.localAddresses().some((local) => sameAddress(local.address, address));
  }

  isBroadcast(address: Address): boolean {
    if (address.family !== AF_INET) return false;
    return this.localAddresses().some(
      ({ address: local, mask }) =>
        local.family === AF_INET &&
        mask !== -1 &&
        mask !== -2 &&
        address.words[0] === (local.words[0] | ~mask),
    );
  }

  interfaceMtu(name: string): number | undefined {
    if (!interfaceNames().includes(name)) return undefined;
    const text = firstReadable([`/proc/sys/net/ipv6/conf/${name}/mtu`, `/sys/class/net/${name}/mtu`]);
    return text ? Number.parseInt(text, 10) : name === 'lo' ? LOOPBACK_MTU : DEFAULT_MTU;
  }

  freePages(): number {
    const text = firstReadable(['/proc/meminfo']) ?? '';
    const kib = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? Number.NaN);
    const free = kib('MemFree') + kib('Buffers');
    // What cannot be read is not short.
    return Number.isNaN(free) ? Number.POSITIVE_INFINITY : Math.floor(free / KIB_PER_PAGE);
  }

  /** A backup is never refused for the state of its interface. */
  multicastProblem(daemon: DaemonConfig): Errno | undefined {
    if (daemon.state !== DAEMON_STATE.MASTER) return undefined;
    const { interface: name } = daemon;
    if (daemon.group?.family !== AF_INET6) return isUp(name) ? undefined : 'ENETUNREACH';
    if (isUp(name) && hasLinkLocal(name)) return undefined;
    return isUp(name) && name !== 'lo' && hasIpv6(name) ? 'EADDRNOTAVAIL' : 'ENETUNREACH';
  }

  private localAddresses(): readonly LocalAddress[] {
    if (monotonicNow() - this.cachedAt > CACHE_MS) {
      this.cached = readLocalAddresses();
      this.cachedAt = monotonicNow();
    }
    return this.cached;
  }
}

interface LocalAddress {
  readonly address: Address;
  /** IPv4 netmask as int32; 0 for IPv6. */
  readonly mask: number;
}

function readLocalAddresses(): LocalAddress[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.flatMap(({ address: text, netmask }) => {
    const address = parseAddress(text.replace(/%.*/, ''));
    return address ? [{ address, mask: parseAddress(netmask)?.words[0] ?? 0 }] : [];
  });
}

/** Names of all interfaces, also those without an address. */
function interfaceNames(): string[] {
  const text = firstReadable(['/proc/net/dev']) ?? '';
  return Array.from(text.matchAll(/^\s*([^\s:]+):/gm), (match) => match[1]!);
}

/** An interface that is up is a member of the group of all hosts, with or without an address. */
function isUp(name: string): boolean {
  const text = firstReadable(['/proc/net/igmp']) ?? '';
  return Array.from(text.matchAll(/^\d+\s+([^\s:]+)\s*:/gm), (match) => match[1]!).includes(name);
}

/** Whether IPv6 is on for an interface. */
function hasIpv6(name: string): boolean {
  return firstReadable([`/proc/sys/net/ipv6/conf/${name}/disable_ipv6`])?.trim() === '0';
}

/** Whether an interface has an IPv6 address of scope link (0x20). */
function hasLinkLocal(name: string): boolean {
  const text = firstReadable(['/proc/net/if_inet6']) ?? '';
  return text.split('\n').some((line) => {
    const [, , , scope, , device] = line.trim().split(/\s+/);
    return scope === '20' && device === name;
  });
}

function firstReadable(paths: readonly string[]): string | undefined {
  for (const path of paths) {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      // The next path may be there: which files exist depends on the kernel's configuration.
    }
  }
  return undefined;
}
