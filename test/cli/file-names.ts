import { inetAton } from '../../src/cli/inet-aton.ts';
import { type Names, ServiceNames } from '../../src/cli/names.ts';
import { type Address, formatAddress } from '../../src/core/address.ts';

/** Names from the text of a hosts(5) and a services(5) file, for a machine whose resolver reads nothing else. */
export class FileNames implements Names {
  private readonly services: ServiceNames;
  private readonly hosts: readonly { readonly address: string; readonly names: readonly string[] }[];

  constructor(hosts: string, services: string) {
    this.services = new ServiceNames(services);
    this.hosts = hosts
      .split('\n')
      .map((line) => line.replace(/#.*/, '').trim().split(/\s+/))
      .filter((words) => words.length > 1)
      .map(([address, ...names]) => ({ address: address!, names }));
  }

  hostAddress(host: string): Promise<Address | undefined> {
    const wanted = host.toLowerCase();
    for (const { address, names } of this.hosts) {
      if (!names.some((name) => name.toLowerCase() === wanted)) continue;
      // glibc takes the IPv6 loopback for the IPv4 one when it is asked for an IPv4 address.
      const found = inetAton(address === '::1' ? '127.0.0.1' : address);
      if (found) return Promise.resolve(found);
    }
    return Promise.resolve(undefined);
  }

  hostName(address: Address): Promise<string | undefined> {
    const text = formatAddress(address);
    return Promise.resolve(this.hosts.find((entry) => entry.address === text)?.names[0]);
  }

  servicePort(name: string, protocol: number): number | undefined {
    return this.services.port(name, protocol);
  }

  serviceName(port: number, protocol: number): string | undefined {
    return this.services.name(port, protocol);
  }
}
