import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { TestDirector } from '../support/director.ts';
import { Processes, until } from '../support/processes.ts';
import { findProgram, isMissing } from '../support/programs.ts';

const EXPORTER = 'prometheus-node-exporter';
const VIP = '127.64.0.1';
const PORT = 9301;
const SERVERS = ['127.64.0.11', '127.64.0.12'] as const;
const NAMES = ['ip_vs', 'ip_vs_app', 'ip_vs_conn', 'ip_vs_conn_sync', 'ip_vs_stats', 'ip_vs_stats_percpu'];

describe('snapshots of /proc/net', () => {
  const director = new TestDirector();
  const dir = join(director.runtimeDir, 'proc/net');

  afterAll(() => director.cleanUp());

  test('are off unless they are asked for, and what a killed director left goes', async () => {
    await director.start(['--plane', 'none', '--proc-snapshots']);
    await until('there are snapshots', () => existsSync(join(dir, 'ip_vs_app')));
    await director.kill('SIGKILL');
    expect(readdirSync(dir).length).toBeGreaterThan(0);
    await director.start(['--plane', 'none']);
    expect(existsSync(join(director.runtimeDir, 'proc'))).toBe(false);
    await director.kill('SIGTERM');
  });

  test('show what the director shows, follow its changes, and go with it', async () => {
    await director.start(['--plane', 'none', '--proc-snapshots']);
    await director.ok('-A -t 192.0.2.1:80 -s mh');
    await director.ok('-a -t 192.0.2.1:80 -r 192.0.2.7:8080 -m -w 3');
    await until('the change is there', () => read('ip_vs').includes('C0000201:0050 mh'));
    expect(
      readdirSync(dir)
        .filter((name) => !name.startsWith('.'))
        .sort(),
    ).toEqual(NAMES);
    await director.ok('-D -t 192.0.2.1:80');
    await until('the service is gone', () => !read('ip_vs').includes('C0000201'));
    for (const name of NAMES) expect(read(name)).toBe((await director.uipvs(`proc ${name}`)).stdout);
    await director.kill('SIGTERM');
    expect(readdirSync(director.runtimeDir)).not.toContain('proc');
  });

  test('that cannot be written are told of, and the director serves on', async () => {
    const blocked = join(director.runtimeDir, 'proc');
    writeFileSync(blocked, '');
    await director.start(['--plane', 'none', '--proc-snapshots']);
    await until('it is told', () => director.log.includes(`proc snapshots: write ${join(dir, 'ip_vs')}: `));
    expect(await director.ok('-L -n')).toContain('IP Virtual Server');
    await director.kill('SIGTERM');
    expect(existsSync(blocked)).toBe(true);
  });

  const read = (name: string): string =>
    existsSync(join(dir, name)) ? readFileSync(join(dir, name), 'utf8') : '';
});

describe.skipIf(isMissing(EXPORTER))("Prometheus' node exporter", () => {
  const programs = new Processes();
  const directors: TestDirector[] = [];
  const listeners: Server[] = [];
  const clients: Socket[] = [];

  afterEach(async () => {
    for (const socket of clients.splice(0)) socket.destroy();
    for (const listener of listeners.splice(0)) listener.close();
    await programs.end();
    for (const director of directors.splice(0)) await director.cleanUp();
  });

  test('exports the counters and the servers of real traffic', async () => {
    const { director, scrape } = await start('proxy', '127.64.0.2:9302');
    for (const host of SERVERS) listeners.push(await echo(host));
    await director.ok(`-A -t ${VIP}:${PORT} -s rr`);
    for (const host of SERVERS) await director.ok(`-a -t ${VIP}:${PORT} -r ${host}:${PORT} -m -w 7`);
    for (let i = 0; i < 3; i++) clients.push(await client('hello'));
    (await client('bye')).destroy();
    const expected = (host: string) => ({ ...LABELS, remote_address: host });
    let found = new Map<string, number>();
    let counters: number[] = [];
    // Both the listing and the snapshots move every two seconds, but not at the same time.
    await until('all traffic is exported', async () => {
      counters = await countersOf(director);
      found = await scrape();
      const sums = [sum(found, 'active'), sum(found, 'inactive')];
      return isDeepStrictEqual([totals(found), sums], [counters, [3, 1]]);
    });
    const [conns, inPackets, , inBytes, outBytes] = counters;
    expect([conns, inBytes, outBytes]).toEqual([4, 18, 18]);
    expect(inPackets).toBeGreaterThan(0);
    const values = (what: string) => SERVERS.map((host) => found.get(series(what, expected(host))));
    expect(values('weight')).toEqual([7, 7]);
    expect([...values('connections_active'), ...values('connections_inactive')].sort()).toEqual([0, 1, 1, 2]);
    expect(found.size).toBe(5 + 3 * SERVERS.length);
  });

  test('exports services of marks, of UDP and of IPv6', async () => {
    const { director, scrape } = await start('none', '127.64.0.2:9303');
    const rules = [
      '-A -f 3 -s mh',
      '-a -f 3 -r 192.0.2.7 -g -w 2',
      '-A -u [2001:db8::1]:53 -s rr -p 60',
      '-a -u [2001:db8::1]:53 -r [2001:db8::7]:5353 -m -w 4',
    ];
    await director.ok('-R', `${rules.join('\n')}\n`);
    const mark = {
      ...NONE,
      local_mark: '00000003',
      proto: 'FWM',
      remote_address: '192.0.2.7',
      remote_port: '0',
    };
    const ipv6 = {
      ...NONE,
      local_address: '2001:db8::1',
      local_port: '53',
      proto: 'UDP',
      remote_address: '2001:db8::7',
      remote_port: '5353',
    };
    await until('the services are exported', async () => (await scrape()).has(series('weight', ipv6)));
    const found = await scrape();
    expect(found.get(series('weight', mark))).toBe(2);
    expect(found.get(series('weight', ipv6))).toBe(4);
    expect(found.get(series('connections_active', ipv6))).toBe(0);
  });

  /** The counters of the TCP service: connections, packets in and out, bytes in and out. */
  async function countersOf(director: TestDirector): Promise<number[]> {
    const stats = await director.ok(`-L -n --stats --exact -t ${VIP}:${PORT}`);
    return /^TCP +127\.64\.0\.1:9301 +(\d+) +(\d+) +(\d+) +(\d+) +(\d+)$/m.exec(stats)!.slice(1).map(Number);
  }

  const totals = (found: ReadonlyMap<string, number>) =>
    ['connections', 'incoming_packets', 'outgoing_packets', 'incoming_bytes', 'outgoing_bytes'].map((name) =>
      found.get(`node_ipvs_${name}_total`),
    );

  const NONE = { local_address: '', local_mark: '', local_port: '0' };
  const LABELS = {
    local_address: VIP,
    local_mark: '',
    local_port: String(PORT),
    proto: 'TCP',
    remote_port: String(PORT),
  };

  /** A director with snapshots, and an exporter that reads them. */
  async function start(plane: string, listen: string) {
    const director = new TestDirector();
    directors.push(director);
    await director.start(['--plane', plane, '--proc-snapshots']);
    const options = ['--collector.disable-defaults', '--collector.ipvs', `--web.listen-address=${listen}`];
    programs.start([
      findProgram(EXPORTER)!,
      ...options,
      `--path.procfs=${join(director.runtimeDir, 'proc')}`,
    ]);
    /** Every series of IPVS with its value; none before the exporter listens. */
    const scrape = async (): Promise<Map<string, number>> => {
      const response = await fetch(`http://${listen}/metrics`).catch(() => undefined);
      const lines = ((await response?.text()) ?? '')
        .split('\n')
        .filter((line) => line.startsWith('node_ipvs_'));
      return new Map(
        lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]),
      );
    };
    return { director, scrape };
  }

  /** The name of a series of a server, with its labels in their order. */
  function series(what: string, labels: Readonly<Record<string, string>>): string {
    const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
    return `node_ipvs_backend_${what}{${pairs.sort().join(',')}}`;
  }

  function sum(found: ReadonlyMap<string, number>, what: string): number {
    const prefix = `node_ipvs_backend_connections_${what}{`;
    const values = [...found].filter(([name]) => name.startsWith(prefix)).map(([, value]) => value);
    return values.reduce((total, value) => total + value, 0);
  }

  async function client(text: string): Promise<Socket> {
    const socket = connect(PORT, VIP);
    let answer = '';
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      answer += chunk.toString();
    });
    socket.write(text);
    await until('the server has answered', () => answer === text);
    return socket;
  }

  function echo(host: string): Promise<Server> {
    const listener = createServer((socket) => socket.on('error', () => {}).pipe(socket));
    return new Promise((resolve) => listener.listen(PORT, host, () => resolve(listener)));
  }
});
