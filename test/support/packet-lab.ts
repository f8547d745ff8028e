import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TestDirector } from './director.ts';
import { NetworkNamespaces } from './network-namespaces.ts';
import { type Finished, Processes, until } from './processes.ts';
import { findProgram } from './programs.ts';

/** Namespaces of a lab. */
export type Host = 'cli' | 'dir' | 'rs1' | 'rs2';
export type ServerHost = 'rs1' | 'rs2';

/** The client on its cable to the director, and beside the servers. */
export const CLIENT = { v4: '10.90.0.2', v6: 'fd90::2', lan: '10.91.0.254' } as const;

/** The director on the client's cable, and beside the servers. */
export const DIRECTOR = { v4: '10.90.0.1', v6: 'fd90::1', lan: '10.91.0.1', lan6: 'fd91::1' } as const;

/** Virtual addresses: the director's own; routed to it, but nobody's; in the servers' network. */
export const VIP = {
  own: '10.90.0.100',
  own6: 'fd90::100',
  routed: '10.99.0.1',
  lan: '10.91.0.100',
} as const;

export const SERVER = {
  rs1: { v4: '10.91.0.11', v6: 'fd91::11' },
  rs2: { v4: '10.91.0.12', v6: 'fd91::12' },
} as const;

export const SERVERS: readonly ServerHost[] = ['rs1', 'rs2'];

/** Bytes of the file that web servers have under /big. */
export const BIG_BYTES = 20_000_000;

/**
 * A client, a director and two real servers. Client and director have a cable of their own; all four are on one switch.
 *
 *   cli 10.90.0.2 ──────────── 10.90.0.1 dir
 *    │ 10.91.0.254                         │ 10.91.0.1
 *    └──────────────┬── sw ──┬─────────────┘
 *         10.91.0.11 rs1    rs2 10.91.0.12
 */
export class PacketLab {
  readonly net = new NetworkNamespaces();
  readonly processes = new Processes();
  readonly director = new TestDirector({ isPrivileged: true });

  /** Makes the network; servers answer clients through the director. */
  async build(): Promise<void> {
    const { net } = this;
    await net.add('sw', 'cli', 'dir', 'rs1', 'rs2');
    await net.ip('sw', 'link add lan type bridge mcast_snooping 0');
    await net.ip('sw', 'link set lan up');
    await net.join(
      { namespace: 'cli', device: 'c0', addresses: [`${CLIENT.v4}/24`, `${CLIENT.v6}/64`] },
      {
        namespace: 'dir',
        device: 'd0',
        addresses: [`${DIRECTOR.v4}/24`, `${DIRECTOR.v6}/64`, `${VIP.own}/32`, `${VIP.own6}/128`],
      },
    );
    await this.plug('cli', 'c1', [`${CLIENT.lan}/24`, 'fd91::fe/64']);
    await this.plug('dir', 'd1', [`${DIRECTOR.lan}/24`, `${DIRECTOR.lan6}/64`]);
    for (const name of SERVERS) {
      await this.plug(name, 's0', [`${SERVER[name].v4}/24`, `${SERVER[name].v6}/64`]);
      await net.ip(name, `route add default via ${DIRECTOR.lan}`);
      await net.ip(name, `route add default via ${DIRECTOR.lan6}`);
    }
    await net.ip('cli', `route add ${VIP.routed} via ${DIRECTOR.v4}`);
    await net.sysctl('dir', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
    await net.linksUp('dir', 'd0', 'd1');
  }

  /** Starts the director. */
  start(...args: readonly string[]): Promise<void> {
    return this.director.start(args, this.net.inside('dir'));
  }

  /** Web servers on ports 80 and 8080 say their name and the client's address. */
  async startWeb(): Promise<void> {
    const { scratch } = this.director;
    writeFileSync(join(scratch, 'big'), Buffer.alloc(BIG_BYTES, 'big file\n'));
    for (const name of SERVERS) {
      const dir = join(scratch, `web-${name}`);
      mkdirSync(dir);
      writeFileSync(join(dir, 'conf'), webConfig(dir, scratch, name));
      const nginx = [findProgram('nginx')!, '-e', 'stderr', '-p', dir, '-c', join(dir, 'conf')];
      this.processes.start(this.net.inside(name, ...nginx));
      await until(`the web server of ${name}`, async () => {
        const { stdout } = await this.net.run(name, ['curl', '-s', '--max-time', '2', 'http://127.0.0.1/']);
        return stdout.startsWith(name);
      });
    }
  }

  /** @returns what a web server says, or curl's complaint in brackets */
  async fetch(url: string, from: Host = 'cli', ...options: readonly string[]): Promise<string> {
    const command = ['curl', '-sS', '--max-time', '5', ...options, `http://${url}`];
    const { status, stdout, stderr } = await this.net.run(from, command);
    return status === 0 ? stdout.trim() : `[${status}: ${stderr.trim()}]`;
  }

  /** Fetches one after the other. */
  async fetchMany(count: number, url: string, from: Host = 'cli'): Promise<string[]> {
    const found: string[] = [];
    for (let i = 0; i < count; i++) found.push(await this.fetch(url, from));
    return found;
  }

  /** Runs a program in a host; the words as in a shell without quotes. */
  run(host: Host, words: string, timeoutMs = 20_000): Promise<Finished> {
    return this.net.run(host, words.split(' '), '', timeoutMs);
  }

  /** Runs our ipvsadm, one command a line; each must succeed. */
  async ipvsadm(...lines: readonly string[]): Promise<void> {
    for (const line of lines) await this.director.ok(line);
  }

  /** One of the counters of /proc/net/snmp, or of snmp6. */
  async snmp(host: Host, name: string): Promise<number> {
    const { stdout } = await this.run(host, `nstat -asz ${name}`);
    const found = new RegExp(`^${name}\\s+(\\d+)`, 'm').exec(stdout);
    if (!found) throw new Error(`no counter ${name}: ${stdout}`);
    return Number(found[1]);
  }

  /** All of a host's network that a director may change. */
  async networkState(host: Host): Promise<string[]> {
    const commands = [
      'ip -4 rule',
      'ip -6 rule',
      'nft list ruleset',
      'ip -o link',
      'ip -o addr',
      'ip -4 route show table all',
      'ip -6 route show table all',
      'sysctl -a --pattern forward|rp_filter|accept_local|early_demux|valid_mark',
    ];
    const all: string[] = [];
    for (const command of commands) {
      const { stdout } = await this.run(host, command);
      // Life times and the like differ.
      all.push(...stdout.replace(/ valid_lft.*| expires \S+/g, '').split('\n'));
    }
    return all.filter((line) => line !== '');
  }

  async remove(): Promise<void> {
    await this.director.kill('SIGTERM');
    await this.processes.end();
    await this.net.remove();
    await this.director.cleanUp();
  }

  private async plug(namespace: Host, device: string, addresses: readonly string[]): Promise<void> {
    await this.net.join(
      { namespace: 'sw', device: `to-${namespace}`, addresses: [] },
      { namespace, device, addresses },
    );
    await this.net.ip('sw', `link set to-${namespace} master lan`);
  }
}

function webConfig(dir: string, root: string, name: string): string {
  const listens = [80, 8080].map((port) => `listen ${port}; listen [::]:${port};`).join(' ');
  return `daemon off; worker_processes 1; pid ${dir}/pid; error_log stderr; user nobody nogroup;
    events {}
    http { access_log off; client_body_temp_path ${dir}/body; proxy_temp_path ${dir}/proxy;
           fastcgi_temp_path ${dir}/f; uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s;
           server { ${listens}
             location / { return 200 "${name} $remote_addr $server_addr:$server_port\\n"; }
             location = /big { root ${root}; } } }`;
}
