import { type Address, AF_INET, AF_INET6, formatAddress } from '../core/address.ts';
import { PROTOCOL, type ServiceKey } from '../core/config.ts';
import type { Names } from './names.ts';

const PROTOCOL_LABELS: Readonly<Record<number, string>> = {
  [PROTOCOL.TCP]: 'TCP',
  [PROTOCOL.UDP]: 'UDP',
  [PROTOCOL.SCTP]: 'SCTP',
};

/** How a listing writes addresses and ports: as numbers, or by name where they have one. */
export class Labels {
  private readonly names: Names | undefined;
  private readonly hosts: ReadonlyMap<string, string>;

  /** @param hosts official names by the address as inet_ntop(3) prints it */
  constructor(names: Names | undefined, hosts: ReadonlyMap<string, string>) {
    this.names = names;
    this.hosts = hosts;
  }

  /** @returns `host:port`, with brackets around IPv6 hosts. */
  endpoint(addr: Address, port: number, protocol: number): string {
    const text = formatAddress(addr);
    // A look-up takes the text's hash, which costs more than to make the text.
    const host = this.hosts.size === 0 ? text : (this.hosts.get(text) ?? text);
    const service = this.names?.serviceName(port, protocol) ?? String(port);
    return addr.family === AF_INET ? `${host}:${service}` : `[${host}]:${service}`;
  }

  destination(service: ServiceKey, addr: Address, port: number): string {
    return this.endpoint(addr, port, namingProtocol(service));
  }

  /** @returns protocol and address, or fwmark, as the first columns of a listing. */
  service(service: ServiceKey): string {
    if (service.fwmark !== 0)
      return `FWM  ${service.fwmark | 0}${service.family === AF_INET6 ? ' IPv6' : ''}`;
    const protocol = (PROTOCOL_LABELS[service.protocol] ?? '?').padEnd(4);
    return `${protocol} ${this.endpoint(service.addr, service.port, service.protocol)}`;
  }

  /** @returns the options that say which service is meant, as a saved rule has them. */
  serviceOption(service: ServiceKey): string {
    if (service.fwmark !== 0) return `-f ${service.fwmark | 0}${service.family === AF_INET6 ? ' -6' : ''}`;
    const option = { [PROTOCOL.TCP]: '-t', [PROTOCOL.UDP]: '-u', [PROTOCOL.SCTP]: '--sctp-service' }[
      service.protocol
    ];
    return `${option} ${this.endpoint(service.addr, service.port, service.protocol)}`;
  }
}

/** Shows numbers only. */
export const NUMERIC_LABELS = new Labels(undefined, new Map());

/** Asks for the names of all the addresses at once, each only once. */
export async function namedLabels(names: Names, addresses: Iterable<Address>): Promise<Labels> {
  const wanted = new Map<string, Address>();
  for (const address of addresses) wanted.set(formatAddress(address), address);
  const found = await Promise.all(
    [...wanted].map(async ([text, address]) => [text, await names.hostName(address)] as const),
  );
  return new Labels(
    names,
    new Map(found.filter((entry): entry is [string, string] => entry[1] !== undefined)),
  );
}

/** Ports behind a fwmark belong to no protocol and so have no names. */
function namingProtocol(service: ServiceKey): number {
  return service.fwmark === 0 ? service.protocol : PROTOCOL.IP;
}
