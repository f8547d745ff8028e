import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NetworkNamespaces } from '../../test/support/network-namespaces.ts';
import { run } from '../../test/support/processes.ts';
import { type Running, startListener } from './listener.ts';

/** The virtual address, an address of the director's. */
export const VIP = '10.0.0.1';
export const SERVERS = ['10.2.1.1', '10.2.2.1'] as const;
/** Both servers answer here. */
export const HTTP_PORT = 80;
/** Served by the first server alone: a measurement has a control connection and data connections. */
export const BULK_PORT = 5201;
/** Datagrams to it end at the servers. */
export const UDP_PORT = 9;

/** Client, director and two real servers, joined by veth devices with their offloads on. */
export class Bed {
  readonly scratch = mkdtempSync(join(tmpdir(), 'uipvs-bench-'));
  private readonly namespaces = new NetworkNamespaces();
  private readonly servers: Running[] = [];

  static async build(): Promise<Bed> {
    const bed = new Bed();
    try {
      await bed.connect();
      for (const i of SERVERS.keys()) await bed.serve(i);
      return bed;
    } catch (error) {
      await bed.remove();
      throw error;
    }
  }

  inside(where: Where, ...command: readonly string[]): string[] {
    return this.namespaces.inside(where, ...command);
  }

  /** Runs a program to its end. @returns its output @throws if it fails */
  async run(where: Where, command: readonly string[], input = ''): Promise<string> {
    const { status, stdout, stderr } = await run(this.inside(where, ...command), {
      input,
      timeoutMs: 120_000,
    });
    if (status !== 0) throw new Error(`${command.join(' ')}: status ${status}: ${stderr}${stdout}`);
    return stdout;
  }

  /** @returns packets that have reached both servers */
  async receivedByServers(): Promise<number> {
    let sum = 0;
    for (const [i] of SERVERS.entries()) {
      const [device] = JSON.parse(
        await this.run(serverName(i), ['ip', '-json', '-s', 'link', 'show', 'dev', 's0']),
      );
      sum += device.stats64.rx.packets;
    }
    return sum;
  }

  async remove(): Promise<void> {
    for (const server of this.servers) await server.stop();
    await this.namespaces.remove();
    rmSync(this.scratch, { recursive: true, force: true });
  }

  private async connect(): Promise<void> {
    const { namespaces } = this;
    await namespaces.add('client', 'director', ...SERVERS.map((_, i) => serverName(i)));
    await namespaces.join(
      { namespace: 'client', device: 'c0', addresses: ['10.1.0.1/24'] },
      { namespace: 'director', device: 'd0', addresses: ['10.1.0.254/24'] },
    );
    await namespaces.ip('client', 'route add default via 10.1.0.254');
    // Every measurement has ports enough.
    await namespaces.sysctl('client', 'net.ipv4.ip_local_port_range=1024 65535', 'net.ipv4.tcp_tw_reuse=1');
    for (const [i, server] of SERVERS.entries()) {
      const gateway = server.replace(/1$/, '254');
      await namespaces.join(
        { namespace: serverName(i), device: 's0', addresses: [`${server}/24`] },
        { namespace: 'director', device: `d${i + 1}`, addresses: [`${gateway}/24`] },
      );
      await namespaces.ip(serverName(i), `route add default via ${gateway}`);
      // As most network cards: a super-packet of datagrams is cut on the director, by its kernel.
      await this.run('director', ['ethtool', '-K', `d${i + 1}`, 'tx-udp-segmentation', 'off']);
      const sink = `table ip sink { chain in { type filter hook prerouting priority -300; udp dport ${UDP_PORT} drop; }; }`;
      await this.run(serverName(i), ['nft', '-f', '-'], sink);
    }
    await namespaces.ip('director', `addr add ${VIP}/32 dev lo`);
    await namespaces.sysctl('director', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
  }

  private async serve(i: number): Promise<void> {
    const dir = join(this.scratch, serverName(i));
    const config = `${dir}.conf`;
    writeFileSync(
      config,
      `daemon off; worker_processes 1; pid ${dir}.pid; error_log stderr; user nobody nogroup;
       events { worker_connections 8192; }
       http { access_log off; client_body_temp_path ${dir}.body; proxy_temp_path ${dir}.proxy; fastcgi_temp_path ${dir}.f;
              uwsgi_temp_path ${dir}.u; scgi_temp_path ${dir}.s; keepalive_requests 1000000000;
              server { listen ${HTTP_PORT} backlog=4096; location / { return 200 "0123456789012345678901234567890\\n"; } } }`,
    );
    const nginx = ['nginx', '-e', 'stderr', '-p', this.scratch, '-c', config];
    const iperf3 = ['iperf3', '--server', '--port', String(BULK_PORT)];
    this.servers.push(await startListener(this.inside(serverName(i), ...nginx), HTTP_PORT));
    this.servers.push(await startListener(this.inside(serverName(i), ...iperf3), BULK_PORT));
  }
}

export type Where = 'client' | 'director' | `server${number}`;

const serverName = (i: number): Where => `server${i + 1}`;
