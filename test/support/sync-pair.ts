import { TestDirector } from './director.ts';
import { NetworkNamespaces } from './network-namespaces.ts';
import { Processes, until } from './processes.ts';

const SYNC_VIP = '10.95.0.100';
const SERVER_PORTS = [8080, 8081] as const;
const ALL = ['a', 'b'] as const;
export type SyncHost = (typeof ALL)[number];

/**
 * Two hosts on a cable, `eth0` at either end, each with a director, the same clients' addresses and two servers, which
 * say their port. Directors serve by sockets.
 */
export class SyncPair {
  readonly net = new NetworkNamespaces();
  readonly directors: Readonly<Record<SyncHost, TestDirector>> = {
    a: new TestDirector({ isPrivileged: true }),
    b: new TestDirector({ isPrivileged: true }),
  };
  private readonly processes = new Processes();

  /** @param clients IPv4 addresses, all on both hosts */
  async build(clients: readonly string[]): Promise<void> {
    const { net } = this;
    await net.add(...ALL);
    await this.connect();
    const servers = SERVER_PORTS.map((port) => `-a -t ${SYNC_VIP}:80 -r 127.0.0.1:${port} -m`);
    for (const host of ALL) {
      for (const address of [SYNC_VIP, ...clients]) await net.ip(host, `addr add ${address}/32 dev lo`);
      for (const port of SERVER_PORTS)
        this.processes.start(
          net.inside(host, 'socat', `TCP-LISTEN:${port},fork,reuseaddr`, `EXEC:echo ${port}`),
        );
      await this.start(host);
      await this.directors[host].ok('-R', [`-A -t ${SYNC_VIP}:80 -s rr -p 600`, ...servers, ''].join('\n'));
    }
  }

  /** Lays the cable; both ends are gone when one is deleted. */
  async connect(): Promise<void> {
    await this.net.join(
      { namespace: 'a', device: 'eth0', addresses: ['10.94.0.1/24'] },
      { namespace: 'b', device: 'eth0', addresses: ['10.94.0.2/24'] },
    );
    for (const host of ALL) await this.net.linksUp(host, 'eth0');
  }

  start(host: SyncHost): Promise<void> {
    return this.directors[host].start(['--plane', 'proxy'], this.net.inside(host));
  }

  /** @returns what a server says to the client, '' if nothing */
  async fetch(host: SyncHost, client: string): Promise<string> {
    const { stdout } = await this.net.run(host, ['socat', '-T2', '-', `TCP:${SYNC_VIP}:80,bind=${client}`]);
    return stdout.trim();
  }

  /** Waits until a director has heard of a client's template. */
  async hearsOf(host: SyncHost, client: string): Promise<void> {
    const template = `${client}:0 `;
    const hears = async (): Promise<boolean> => (await this.directors[host].ok('-Lnc')).includes(template);
    await until(`the template of ${client}`, hears, 15_000);
  }

  /** Of a director, as `uipvs status` tells them; '' for none. */
  async problems(host: SyncHost): Promise<string> {
    return (await this.directors[host].status()).director.problems.join('\n');
  }

  async remove(): Promise<void> {
    for (const director of Object.values(this.directors)) {
      await director.kill('SIGTERM');
      await director.cleanUp();
    }
    await this.processes.end();
    await this.net.remove();
  }
}
