import { readFileSync } from 'node:fs';
import { type Address, formatAddress } from '../core/address.ts';
import { PROTOCOL } from '../core/config.ts';
import { inetAton } from './inet-aton.ts';

/** Names of hosts and services, both ways. */
export interface Names {
  /** An IPv4 address of the host, or `undefined` for an unknown one. */
  hostAddress(host: string): Promise<Address | undefined>;
  /** The host's official name, or `undefined` if it has none. */
  hostName(address: Address): Promise<string | undefined>;
  /** `undefined` if the protocol has no service of that name. */
  servicePort(name: string, protocol: number): number | undefined;
  serviceName(port: number, protocol: number): string | undefined;
}

/** The system's names. Neither the resolver nor /etc/services is touched before a name is asked for. */
export class SystemNames implements Names {
  private services: ServiceNames | undefined;

  async hostAddress(host: string): Promise<Address | undefined> {
    const { promises } = await import('node:dns');
    const found = await promises.lookup(host, { family: 4 }).catch(() => undefined);
    return found && inetAton(found.address);
  }

  async hostName(address: Address): Promise<string | undefined> {
    const { promises } = await import('node:dns');
    const text = formatAddress(address);
    const found = await promises.lookupService(text, 0).catch(() => undefined);
    return found && found.hostname !== text ? found.hostname : undefined;
  }

  servicePort(name: string, protocol: number): number | undefined {
    return this.loadServices().port(name, protocol);
  }

  serviceName(port: number, protocol: number): string | undefined {
    return this.loadServices().name(port, protocol);
  }

  private loadServices(): ServiceNames {
    this.services ??= new ServiceNames(readText('/etc/services'));
    return this.services;
  }
}

/** The contents of a services(5) file. Of several entries the first one counts. */
export class ServiceNames {
  private readonly ports = new Map<string, number>();
  private readonly names = new Map<string, string>();

  constructor(text: string) {
    for (const line of text.split('\n')) {
      const [name, entry, ...aliases] = line.replace(/#.*/, '').trim().split(/\s+/);
      const match = /^(\d+)\/(\w+)$/.exec(entry ?? '');
      if (!name || !match) continue;
      const [, port, protocol] = match;
      if (!this.names.has(`${port}/${protocol}`)) this.names.set(`${port}/${protocol}`, name);
      for (const alias of [name, ...aliases]) {
        if (!this.ports.has(`${alias}/${protocol}`)) this.ports.set(`${alias}/${protocol}`, Number(port));
      }
    }
  }

  port(name: string, protocol: number): number | undefined {
    return this.ports.get(`${name}/${protocolName(protocol)}`);
  }

  name(port: number, protocol: number): string | undefined {
    return this.names.get(`${port}/${protocolName(protocol)}`);
  }
}

/** How services(5) calls a protocol; `undefined` for one that has no service names. */
function protocolName(protocol: number): string | undefined {
  if (protocol === PROTOCOL.TCP) return 'tcp';
  if (protocol === PROTOCOL.UDP) return 'udp';
  return protocol === PROTOCOL.SCTP ? 'sctp' : undefined;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
