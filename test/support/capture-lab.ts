import type { TextWish } from './capture-program.ts';
import { CapturingDirector } from './capturing-director.ts';
import { NetworkNamespaces } from './network-namespaces.ts';
import { Processes, until } from './processes.ts';

export const TCP = 6;
export const UDP = 17;
export const ICMP = 1;

export const CLIENT = '10.81.0.2';
export const CLIENT6 = 'fd81::2';
/** Addresses of the director, the virtual ones beside its own. */
export const VIP = '10.81.0.100';
export const VIP6 = 'fd81::100';
export const DIRECTOR = '10.81.0.1';

const ETHERNET_BYTES = 14;
/** Routed by the director to the server's host. */
export const FAR_VIP = '10.83.0.1';
export const SERVER = '10.82.0.2';
export const SERVER6 = 'fd82::2';

export const WISH: TextWish = {
  virtual: [
    [TCP, VIP, 80],
    [TCP, VIP6, 80],
    [TCP, FAR_VIP, 80],
    [UDP, VIP, 0],
  ],
  servers: [
    [TCP, SERVER, 80],
    [TCP, SERVER6, 80],
    [UDP, SERVER, 53],
  ],
};

/**
 * A client, a director and a server's host, each in a network namespace: `cli`, `dir`, `srv`. On ports 80 and 8080 the
 * last two say "director" and "server" to who connects.
 */
export class CaptureLab {
  readonly net = new NetworkNamespaces();
  private readonly processes = new Processes();

  async setUp(): Promise<void> {
    const { net } = this;
    await net.add('cli', 'dir', 'srv');
    await net.join(
      { namespace: 'cli', device: 'c0', addresses: [`${CLIENT}/24`, `${CLIENT6}/64`] },
      {
        namespace: 'dir',
        device: 'd0',
        addresses: [`${DIRECTOR}/24`, `${VIP}/32`, 'fd81::1/64', `${VIP6}/128`],
      },
    );
    await net.join(
      { namespace: 'srv', device: 's0', addresses: [`${SERVER}/24`, `${SERVER6}/64`] },
      { namespace: 'dir', device: 'd1', addresses: ['10.82.0.1/24', 'fd82::1/64'] },
    );
    await net.ip('srv', `addr add ${FAR_VIP}/32 dev lo`);
    await net.ip('dir', `route add ${FAR_VIP} via ${SERVER}`);
    await net.ip('cli', `route add default via ${DIRECTOR}`);
    await net.ip('srv', 'route add default via 10.82.0.1');
    await net.ip('cli', 'route add fd82::/64 via fd81::1');
    await net.ip('srv', 'route add fd81::/64 via fd82::1');
    await net.sysctl('dir', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
    await net.linksUp('dir', 'd0', 'd1');
    for (const port of [80, 8080]) {
      await this.serve('dir', 'director', port);
      await this.serve('srv', 'server', port);
    }
  }

  async tearDown(): Promise<void> {
    await this.processes.end();
    await this.net.remove();
  }

  startDirector(...args: readonly string[]): Promise<CapturingDirector> {
    return CapturingDirector.start((...command) => this.net.inside('dir', ...command), ...args);
  }

  /** What a TCP server says to a client; '' if nothing within two seconds. */
  async fetch(from: string, host: string, port: number, ...options: string[]): Promise<string> {
    return (await this.net.run(from, ['nc', '-w', '2', ...options, host, String(port)])).stdout.trim();
  }

  /** Sends a datagram. */
  async send(from: string, host: string, port: number, ...options: string[]): Promise<void> {
    await this.net.run(from, ['nc', '-u', '-w', '1', ...options, host, String(port)], 'x');
  }

  /** Puts an IP packet on the client's cable to the director as it is, in a frame that is padded to `frameBytes`. */
  async sendRaw(packet: Uint8Array, frameBytes: number): Promise<void> {
    const { stdout } = await this.net.run('dir', ['cat', '/sys/class/net/d0/address']);
    const frame = Buffer.alloc(Math.max(frameBytes, ETHERNET_BYTES + packet.length));
    Buffer.from(stdout.trim().replaceAll(':', ''), 'hex').copy(frame);
    frame.writeUInt16BE(packet[0]! >> 4 === 4 ? 0x0800 : 0x86dd, ETHERNET_BYTES - 2);
    frame.set(packet, ETHERNET_BYTES);
    const octal = Array.from(frame, (byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
    await this.net.run('cli', ['sh', '-c', `printf '${octal}' | socat -u - INTERFACE:c0`]);
  }

  /** All of the director's network that a director may change. */
  async networkState(): Promise<string[]> {
    const commands = [
      'ip -4 rule',
      'ip -6 rule',
      'nft list ruleset',
      'ip -o link',
      'ip -o addr',
      'ip -4 route show table all',
      'ip -6 route show table all',
      'sysctl -a --pattern forward|rp_filter|accept_local|early_demux',
    ];
    const all: string[] = [];
    for (const command of commands) {
      const { stdout } = await this.net.run('dir', command.split(' '));
      // Life times differ; long lines would drown the difference.
      all.push(...stdout.replace(/ valid_lft.*| expires \S+|(?<=.{200}).*/g, '').split('\n'));
    }
    return all.filter((line) => line !== '');
  }

  private async serve(namespace: string, name: string, port: number): Promise<void> {
    const command = ['socat', `TCP6-LISTEN:${port},fork,reuseaddr`, `EXEC:echo ${name}`];
    this.processes.start(this.net.inside(namespace, ...command));
    await until(
      `${name} on port ${port}`,
      async () => (await this.fetch(namespace, '127.0.0.1', port)) === name,
    );
  }
}
