import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { TestDirector } from '../support/director.ts';
import { metadataOf, series, seriesOf } from '../support/exposition.ts';
import { accepts, Processes, run, until } from '../support/processes.ts';
import { findProgram, isMissing } from '../support/programs.ts';

const VIP = '127.65.0.1';
const METRICS = '127.65.0.2:9401';
const SERVER = '127.65.0.11';

const directors: TestDirector[] = [];
const programs = new Processes();
const listeners: Server[] = [];
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const listener of listeners.splice(0)) listener.close();
  await programs.end();
  for (const director of directors.splice(0)) await director.cleanUp();
});

describe('a director with metrics', () => {
  test('shows traffic, the choices of its schedulers and how services are served', async () => {
    const director = await start(['--plane', 'proxy']);
    await publish(director, 9411, 'wlc');
    for (let i = 0; i < 3; i++) await talk(9411);
    const labels = { family: 'inet', local_address: VIP, local_mark: '', local_port: '9411', proto: 'TCP' };
    const server = { ...labels, remote_address: SERVER, remote_port: '9411' };
    let found = new Map<string, number>();
    await until('the estimator has counted', async () => {
      found = seriesOf(await metrics(), 'ipvs_');
      return found.get(series('ipvs_service_connections_total', labels)) === 3;
    });
    expect(found.get(series('ipvs_service_incoming_bytes_total', labels))).toBe(15);
    expect(found.get(series('ipvs_destination_outgoing_bytes_total', server))).toBe(15);
    expect(found.get(series('ipvs_destination_connections_active', server))).toBe(3);
    expect(found.get(series('ipvs_service_served', labels))).toBe(1);
    expect(found.get('ipvs_scheduler_decisions_total{scheduler="wlc"}')).toBe(3);
    expect(found.get('ipvs_scheduler_decisions_total{scheduler="rr"}')).toBe(0);
    expect(found.get('ipvs_director_services{state="served"}')).toBe(1);
    expect(found.get('ipvs_director_events_total{event="tcp_accepted"}')).toBe(3);
    expect(found.get('ipvs_director_loop_active_seconds_total{thread="worker"}')).toBeGreaterThan(0);
  });

  test('is ready unless a service waits for its port', async () => {
    const director = await start(['--plane', 'proxy']);
    await publish(director, 9412, 'rr');
    expect(await get('/readyz')).toEqual({ status: 200, body: 'ready\n' });
    await director.kill('SIGTERM');
    listeners.push(await echo(VIP, 9412));
    await director.start(['--plane', 'proxy', '--metrics', METRICS]);
    expect(await get('/readyz')).toEqual({
      status: 503,
      body: `not ready: TCP ${VIP}:9412 is waiting: port\n`,
    });
    expect(await get('/healthz')).toEqual({ status: 200, body: 'ok\n' });
  });

  test('that drains is not ready, and still shows what it does', async () => {
    const director = await start(['--plane', 'proxy', '--drain', '30']);
    await publish(director, 9413, 'rr');
    const client = await talk(9413);
    const ended = director.kill('SIGTERM');
    await until('it drains', async () => (await get('/readyz')).body === 'not ready: draining\n');
    expect(await get('/healthz')).toEqual({ status: 200, body: 'ok\n' });
    const found = seriesOf(await metrics(), 'ipvs_director_');
    expect(found.get('ipvs_director_worker_up')).toBe(1);
    expect(found.get('ipvs_director_flows{proto="TCP"}')).toBe(1);
    expect(found.get('ipvs_director_listeners{proto="TCP"}')).toBe(0);
    client.end();
    await ended;
    expect(director.process?.exitCode).toBe(0);
  });

  test('does not start where the address is in use, and says so in one line', async () => {
    const director = new TestDirector();
    directors.push(director);
    listeners.push(await echo('127.65.0.2', 9401));
    const { status, stderr } = await director.uipvs(`daemon --plane none --metrics ${METRICS}`);
    expect([status, stderr]).toEqual([
      1,
      `uipvs: listen on ${METRICS} for metrics: EADDRINUSE; see --metrics\n`,
    ]);
  });

  test.each([
    ['--metrics 127.0.0.1', "--metrics takes ADDR:PORT, PORT or unix:PATH, not '127.0.0.1'"],
    [
      '--metrics 9401 --metrics-labels proto,port',
      "--metrics-labels: 'port' is none of family, local_address",
    ],
  ])('refuses %s', async (words, reason) => {
    const director = new TestDirector();
    directors.push(director);
    const { status, stderr } = await director.uipvs(`daemon ${words}`);
    expect(status).toBe(2);
    expect(stderr).toContain(`uipvs: daemon: ${reason}`);
  });

  test('serves them on a Unix socket, with the labels that are wanted', async () => {
    const director = new TestDirector();
    directors.push(director);
    const path = join(director.runtimeDir, 'metrics.sock');
    const labels = ['--metrics-labels', 'remote_address,proto'];
    await director.start(['--plane', 'none', '--metrics', `unix:${path}`, ...labels]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await director.ok('-A -t 192.0.2.1:80 -s rr');
    await director.ok('-A -t 192.0.2.1:81 -s rr');
    for (const port of [80, 81]) await director.ok(`-a -t 192.0.2.1:${port} -r 192.0.2.7:${port} -m -w 3`);
    const { body } = await get('/metrics', { socketPath: path });
    expect(body).toContain('\nnode_ipvs_backend_weight{proto="TCP",remote_address="192.0.2.7"} 6\n');
    await director.kill('SIGTERM');
    expect(existsSync(path)).toBe(false);
  });
});

describe.skipIf(isMissing('prometheus-node-exporter'))('the metrics of the node exporter', () => {
  test('are those that it makes of the same tables, labels, types and texts included', async () => {
    const director = await start(['--plane', 'none', '--proc-snapshots']);
    const rules = [
      '-A -t 192.0.2.1:80 -s wlc',
      '-a -t 192.0.2.1:80 -r 192.0.2.7:8080 -m -w 100',
      '-a -t 192.0.2.1:80 -r 192.0.2.8:80 -g -w 0',
      '-A -u [2001:db8::1]:53 -s rr -p 60',
      '-a -u [2001:db8::1]:53 -r [2001:db8::7]:5353 -m -w 4',
      '-a -u [2001:db8::1]:53 -r [::192.0.2.9]:53 -m -w 5',
      '-A -f 4275878552 -s mh',
      '-a -f 4275878552 -r 192.0.2.7 -g -w 2',
    ];
    await director.ok('-R', `${rules.join('\n')}\n`);
    await compare(director, 5 + 3 * 5);
  });

  test('are those that it makes of a director with traffic', async () => {
    const director = await start(['--plane', 'proxy', '--proc-snapshots']);
    await publish(director, 9414, 'rr');
    const first = await talk(9414);
    await talk(9414);
    first.destroy();
    const found = await compare(
      director,
      5 + 3,
      (ours) => ours.get('node_ipvs_connections_total') === 2 && connections(ours, 'inactive') === 1,
    );
    expect(found.get('node_ipvs_incoming_bytes_total')).toBe(10);
    expect(connections(found, 'active')).toBe(1);
  });

  const connections = (found: ReadonlyMap<string, number>, what: string): number | undefined =>
    [...found].find(([name]) => name.startsWith(`node_ipvs_backend_connections_${what}{`))?.[1];

  /** Waits until both show the same, which is what is wanted. @returns it */
  async function compare(
    director: TestDirector,
    count: number,
    isWanted: (found: ReadonlyMap<string, number>) => boolean = () => true,
  ): Promise<Map<string, number>> {
    const listen = '127.65.0.2:9402';
    programs.start([
      findProgram('prometheus-node-exporter')!,
      '--collector.disable-defaults',
      '--collector.ipvs',
      `--web.listen-address=${listen}`,
      `--path.procfs=${join(director.runtimeDir, 'proc')}`,
    ]);
    let [ours, theirs] = ['', ''];
    const read = (text: string) => seriesOf(text, 'node_ipvs_');
    // The snapshots that the exporter reads are up to two seconds old.
    await until('both show the same', async () => {
      theirs = (await get('/metrics', addressOf(listen)).catch(() => undefined))?.body ?? '';
      ours = await metrics();
      const found = read(ours);
      return found.size === count && isWanted(found) && isDeepStrictEqual(found, read(theirs));
    }).catch((error: unknown) => {
      expect(read(ours)).toEqual(read(theirs));
      throw error;
    });
    expect(metadataOf(ours, 'node_ipvs_')).toEqual(metadataOf(theirs, 'node_ipvs_'));
    return read(ours);
  }
});

describe.skipIf(isMissing('promtool', 'prometheus'))('Prometheus', () => {
  afterAll(() => programs.end());

  test('finds nothing to complain about', async () => {
    const director = await start(['--plane', 'proxy']);
    await publish(director, 9415, 'rr');
    await talk(9415);
    const input = await metrics();
    expect(await run([findProgram('promtool')!, 'check', 'metrics'], { input })).toEqual({
      status: 0,
      signal: null,
      stdout: '',
      stderr: '',
    });
  });

  test('scrapes the director and answers with what real traffic has counted', async () => {
    const director = await start(['--plane', 'proxy']);
    await publish(director, 9416, 'rr');
    for (let i = 0; i < 4; i++) await talk(9416);
    const query = await startPrometheus(director.scratch);
    await until(
      'it has seen the traffic',
      async () => (await query('node_ipvs_connections_total')) === '4',
      30_000,
    );
    expect(await query('node_ipvs_incoming_bytes_total')).toBe('20');
    expect(await query(`ipvs_service_connections_total{local_address="${VIP}",local_port="9416"}`)).toBe('4');
    expect(await query(`node_ipvs_backend_connections_active{remote_address="${SERVER}"}`)).toBe('4');
    expect(await query('ipvs_director_worker_up')).toBe('1');
    expect(await query('up')).toBe('1');
  });

  /** @returns what asks it for the value of the only series of an expression. */
  async function startPrometheus(scratch: string) {
    const port = await freePort();
    const dir = join(scratch, 'prometheus');
    mkdirSync(dir);
    const config = join(dir, 'prometheus.yml');
    const job = `  - job_name: uipvs\n    static_configs: [{ targets: ['${METRICS}'] }]\n`;
    writeFileSync(config, `global: { scrape_interval: 1s }\nscrape_configs:\n${job}`);
    programs.start([
      findProgram('prometheus')!,
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(dir, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ]);
    await until('Prometheus listens', () => accepts('127.0.0.1', port), 30_000);
    return async (expression: string): Promise<string | undefined> => {
      const path = `/api/v1/query?query=${encodeURIComponent(expression)}`;
      const { status, body } = await get(path, { host: '127.0.0.1', port });
      if (status !== 200) return undefined;
      const { result } = JSON.parse(body).data;
      expect(result.length).toBeLessThan(2);
      return result[0]?.value[1];
    };
  }
});

/** A director that serves metrics. */
async function start(options: readonly string[]): Promise<TestDirector> {
  const director = new TestDirector();
  directors.push(director);
  await director.start([...options, '--metrics', METRICS]);
  return director;
}

/** Publishes a port of a server that sends back what it gets. */
async function publish(director: TestDirector, port: number, scheduler: string): Promise<void> {
  listeners.push(await echo(SERVER, port));
  await director.ok(`-A -t ${VIP}:${port} -s ${scheduler}`);
  await director.ok(`-a -t ${VIP}:${port} -r ${SERVER}:${port} -m`);
}

/** Sends five bytes through the service and waits for the answer. */
function talk(port: number): Promise<Socket> {
  const socket = connect(port, VIP);
  sockets.push(socket);
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.once('data', () => {
      socket.on('error', () => {});
      resolve(socket);
    });
    socket.write('hello');
  });
}

function echo(host: string, port: number): Promise<Server> {
  const listener = createServer((socket) => socket.on('error', () => {}).pipe(socket));
  return new Promise((resolve, reject) => {
    listener.once('error', reject);
    listener.listen(port, host, () => resolve(listener));
  });
}

async function freePort(): Promise<number> {
  const listener = await echo('127.0.0.1', 0);
  const address = listener.address();
  await new Promise((resolve) => listener.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

const metrics = async (): Promise<string> => (await get('/metrics')).body;

type Where = { readonly host: string; readonly port: number } | { readonly socketPath: string };

const addressOf = (text: string): Where => {
  const [host, port] = text.split(':') as [string, string];
  return { host, port: Number(port) };
};

function get(
  path: string,
  where: Where = addressOf(METRICS),
): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ ...where, path, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode, body }));
    });
    sent.on('error', reject);
    sent.end();
  });
}
