import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { Health } from '../../src/metrics/health.ts';
import type { ListenAddress } from '../../src/metrics/listen-address.ts';
import { MetricsServer } from '../../src/metrics/server.ts';
import { serviceEntry } from '../support/entries.ts';
import { run } from '../support/processes.ts';
import { FakeSource, makeExposition } from './fixture.ts';

const LOOPBACK = { host: '127.0.0.1', port: 0 };
const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

describe('over TCP', () => {
  test('metrics come in the text format of Prometheus, whatever follows the path', async () => {
    const { get } = await start();
    const { status, type, body } = await get('/metrics?x=1');
    expect([status, type]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
    expect(body).toContain('\nipvs_director_worker_up 1\n');
  });

  test('other paths are not found, other methods not allowed, and HEAD has no body', async () => {
    const { get } = await start();
    expect((await get('/')).status).toBe(404);
    expect((await get('/metrics/')).status).toBe(404);
    expect((await get('/metrics', 'POST')).status).toBe(405);
    expect(await get('/healthz', 'HEAD')).toMatchObject({ status: 200, body: '' });
  });

  test('a port in use is an error of the system', async () => {
    const { address } = await start();
    await expect(start({ address })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  test('a scrape that fails ends its connection, is told of, and the next one is served', async () => {
    const { get, warnings, fail } = await start();
    fail(true);
    await expect(get('/metrics')).rejects.toThrow();
    expect(warnings).toEqual(['metrics: it broke']);
    fail(false);
    expect((await get('/metrics')).status).toBe(200);
  });

  test('closing ends idle connections', async () => {
    const { server, address } = await start();
    const socket = connect(address as { host: string; port: number });
    const ended = new Promise((resolve) => socket.on('close', resolve));
    await new Promise((resolve) => socket.on('connect', resolve));
    await server.close();
    await ended;
  });
});

describe('over a Unix socket', () => {
  test('metrics are served with the permissions asked for, and the socket goes at the end', async () => {
    const path = join(scratch(), 'metrics.sock');
    const { get, server } = await start({ address: { path }, mode: 0o660 });
    expect(statSync(path).mode & 0o777).toBe(0o660);
    expect((await get('/healthz')).body).toBe('ok\n');
    await server.close();
    expect(existsSync(path)).toBe(false);
  });

  test('a socket that a killed process left is replaced', async () => {
    const path = join(scratch(), 'metrics.sock');
    const abandon = `require('net').createServer().listen('${path}', () => process.kill(process.pid, 'SIGKILL'))`;
    await run([process.execPath, '-e', abandon]);
    expect(existsSync(path)).toBe(true);
    const { get } = await start({ address: { path } });
    expect((await get('/readyz')).status).toBe(503);
  });

  test('a socket in use and a file that is no socket are left alone', async () => {
    const dir = scratch();
    const used = join(dir, 'used');
    const other = createServer().listen(used);
    ends.push(() => other.close());
    await new Promise((resolve) => other.once('listening', resolve));
    const file = join(dir, 'file');
    writeFileSync(file, 'mine');
    for (const path of [used, file])
      await expect(start({ address: { path } })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    expect(statSync(file).size).toBe(4);
    expect(other.listening).toBe(true);
  });

  test('a path that is too long is refused', async () => {
    const path = join(scratch(), 'x'.repeat(108));
    await expect(start({ address: { path } })).rejects.toMatchObject({ code: 'ENAMETOOLONG' });
  });
});

describe('health', () => {
  test('is good while the rules are restored, readiness is not', async () => {
    const { get, source } = await start();
    source.gate = () => new Promise(() => {});
    expect(await get('/healthz')).toMatchObject({ status: 200, body: 'ok\n' });
    expect(await get('/readyz')).toMatchObject({ status: 503, body: 'not ready: starting\n' });
  });

  test('and readiness are good while the director serves', async () => {
    const { get, health, source } = await start();
    health.enter('serving');
    source.states = [
      { service: serviceEntry(), plane: 'proxy', state: 'served' },
      { service: serviceEntry({ port: 81 }), plane: 'proxy', state: 'no servers' },
      { service: serviceEntry({ fwmark: 3 }), plane: 'none', state: 'unservable: firewall mark 3' },
    ];
    expect(await get('/healthz')).toMatchObject({ status: 200, body: 'ok\n' });
    expect(await get('/readyz')).toMatchObject({ status: 200, body: 'ready\n' });
  });

  test('a service that waits for its address or port makes the director unready, and is named', async () => {
    const { get, health, source } = await start();
    health.enter('serving');
    source.states = [80, 81, 82, 83, 84].map((port) => ({
      service: serviceEntry(port === 81 ? { vip: '2001:db8::1', port } : { port }),
      plane: 'proxy',
      state: port === 80 ? 'served' : `waiting: ${port === 81 ? 'address' : 'port'}`,
    }));
    expect(await get('/readyz')).toMatchObject({
      status: 503,
      body:
        'not ready: TCP [2001:db8::1]:81 is waiting: address, TCP 10.0.0.1:82 is waiting: port, ' +
        'TCP 10.0.0.1:83 is waiting: port, 1 more\n',
    });
    source.states = [];
    expect((await get('/readyz')).status).toBe(200);
  });

  test('a worker that does not answer is neither healthy nor ready', async () => {
    const { get, health, source } = await start();
    health.enter('serving');
    source.gate = () => new Promise(() => {});
    expect(await get('/healthz')).toMatchObject({
      status: 503,
      body: 'not healthy: the worker does not answer\n',
    });
    expect(await get('/readyz')).toMatchObject({
      status: 503,
      body: 'not ready: the worker does not answer\n',
    });
  });

  test('a draining director is healthy and not ready', async () => {
    const { get, health } = await start();
    health.enter('serving');
    health.enter('draining');
    expect((await get('/healthz')).status).toBe(200);
    expect(await get('/readyz')).toMatchObject({ status: 503, body: 'not ready: draining\n' });
  });
});

interface Reply {
  readonly status: number | undefined;
  readonly type: string | undefined;
  readonly body: string;
}

async function start(options: { address?: ListenAddress; mode?: number } = {}) {
  const source = new FakeSource();
  const health = new Health(source, 50);
  const warnings: string[] = [];
  const exposition = makeExposition(source);
  let broken = false;
  const server = new MetricsServer({
    address: options.address ?? LOOPBACK,
    mode: options.mode ?? 0o600,
    health,
    exposition: {
      contentType: exposition.contentType,
      render: () => (broken ? Promise.reject(new Error('it broke')) : exposition.render()),
    },
    warn: (line) => void warnings.push(line),
  });
  const address = await server.listen();
  ends.push(() => server.close());
  const fail = (fails: boolean): void => {
    broken = fails;
  };
  const get = (path: string, method = 'GET') => ask(address, path, method);
  return { server, address, source, health, warnings, fail, get };
}

function ask(address: ListenAddress, path: string, method: string): Promise<Reply> {
  const where = 'path' in address ? { socketPath: address.path } : address;
  return new Promise((resolve, reject) => {
    const sent = request({ ...where, path, method, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode, type: response.headers['content-type'], body }),
      );
    });
    sent.on('error', reject);
    sent.end();
  });
}

function scratch(): string {
  const dir = mkdtempSync(join(tmpdir(), 'uipvs-metrics-'));
  ends.push(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}
