import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ByteStream } from '../support/byte-stream.ts';
import { TestDirector } from '../support/director.ts';
import { accepts, Processes, run, until } from '../support/processes.ts';
import { findProgram, isMissing } from '../support/programs.ts';
import { startTrafficServer } from '../support/servers.ts';

const VIP = '127.61.0.1';
const SERVER = '127.61.0.11';
const GIB = 2 ** 30;
const MIB = 2 ** 20;

const director = new TestDirector();
const servers = new Processes();
let lastPort = 9000;

beforeAll(() => director.start());
afterEach(async () => {
  await servers.end();
  await director.ok('-C');
});
afterAll(() => director.cleanUp());

/** Publishes a port of the server under the same port of the virtual address. @returns the port */
async function publish(): Promise<number> {
  const port = ++lastPort;
  await director.ok(`-A -t ${VIP}:${port} -s rr`);
  await director.ok(`-a -t ${VIP}:${port} -r ${SERVER}:${port} -m`);
  return port;
}

describe('a TCP service', () => {
  test('carries 1 GB byte for byte', async () => {
    const port = await publish();
    await startTrafficServer(servers, 'send', SERVER, port, GIB);
    const expected = new ByteStream();
    let received = 0;
    let wrongAt = -1;
    for await (const chunk of connect(port, VIP)) {
      if (wrongAt < 0 && !expected.matches(chunk as Buffer)) wrongAt = received;
      received += (chunk as Buffer).length;
    }
    expect({ received, wrongAt }).toEqual({ received: GIB, wrongAt: -1 });
    await flowsEnded();
    expect((await director.status()).counters['tcp_ended']).toBe(1);
  });

  test('counts the payload bytes exactly', async () => {
    const port = await publish();
    await startTrafficServer(servers, 'send', SERVER, port, 5 * MIB + 7);
    for await (const _ of connect(port, VIP));
    await until('the estimator has counted', async () => {
      const stats = await director.ok(`-L -n --stats --exact -t ${VIP}:${port}`);
      return new RegExp(`TCP  ${VIP}:${port} +1 +\\d+ +\\d+ +0 +${5 * MIB + 7}$`, 'm').test(stats);
    });
  });

  test('keeps memory bounded with 200 clients that hardly read', async () => {
    const port = await publish();
    await startTrafficServer(servers, 'send', SERVER, port, 64 * MIB);
    const before = residentBytes();
    const clients = Array.from({ length: 200 }, () => connect({ port, host: VIP }));
    try {
      for (const client of clients) {
        client.on('error', () => {});
        client.once('data', () => client.pause());
      }
      await until('every client has data', () => clients.every((client) => client.bytesRead > 0));
      await sleep(2000);
      expect(clients.every((client) => client.bytesRead < 64 * MIB)).toBe(true);
      expect(residentBytes() - before).toBeLessThan(128 * MIB);
    } finally {
      for (const client of clients) client.destroy();
    }
    await flowsEnded();
  });

  test.skipIf(isMissing('nc', 'socat'))(
    'passes on the end of what a client sends, and then the answer',
    async () => {
      const port = await publish();
      servers.start([
        findProgram('socat')!,
        `TCP-LISTEN:${port},bind=${SERVER},reuseaddr,fork`,
        'SYSTEM:wc -c',
      ]);
      await until('socat listens', () => accepts(SERVER, port));
      const { stdout } = await run([findProgram('nc')!, '-N', VIP, String(port)], {
        input: 'x'.repeat(100_000),
      });
      expect(stdout.trim()).toBe('100000');
    },
  );

  test.skipIf(isMissing('nc'))(
    'passes on the end of what a server sends, and then the rest from the client',
    async () => {
      const port = await publish();
      let received = '';
      const server = createServer({ allowHalfOpen: true }, (socket) => {
        socket.on('data', (chunk) => {
          received += chunk.toString();
        });
        socket.end('early\n');
      });
      server.listen(port, SERVER);
      const client = `(sleep 0.5; echo late) | ${findProgram('socat')} -t 5 - TCP:${VIP}:${port}`;
      const { stdout } = await run(['sh', '-c', client]);
      await until('the server has all', () => received === 'late\n');
      expect(stdout).toBe('early\n');
      server.close();
    },
  );

  test.skipIf(isMissing('openssl'))('carries TLS', async () => {
    const port = await publish();
    const [key, cert] = [join(director.scratch, 'key.pem'), join(director.scratch, 'cert.pem')];
    const subject = ['-subj', '/CN=pod', '-days', '1', '-nodes'];
    await run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', ...subject, '-keyout', key, '-out', cert]);
    servers.start([
      'openssl',
      's_server',
      '-accept',
      `${SERVER}:${port}`,
      '-key',
      key,
      '-cert',
      cert,
      '-www',
      '-quiet',
    ]);
    await until('s_server listens', () => accepts(SERVER, port));
    const client = [
      'openssl',
      's_client',
      '-connect',
      `${VIP}:${port}`,
      '-quiet',
      '-CAfile',
      cert,
      '-verify_return_error',
    ];
    const { stdout } = await run(client, { input: 'GET / HTTP/1.0\r\n\r\n' });
    expect(stdout).toContain('HTTP/1.0 200 ok');
  });

  test.skipIf(isMissing('iperf3')).each([
    { direction: 'to the server', option: [] },
    { direction: 'to the client', option: ['-R'] },
  ])('carries iperf3 for 5 s $direction', async ({ option }) => {
    const port = await publish();
    servers.start(['iperf3', '-s', '-1', '-B', SERVER, '-p', String(port)]);
    await sleep(300);
    const client = ['iperf3', '-c', VIP, '-p', String(port), '-t', '5', '--json', ...option];
    const { stdout } = await run(client);
    const report = JSON.parse(stdout);
    expect(report.error).toBeUndefined();
    expect(report.end.sum_received.bytes).toBeGreaterThan(MIB);
    expect(report.end.sum_received.bytes).toBeLessThanOrEqual(report.end.sum_sent.bytes);
  });
});

describe('when one side fails', () => {
  test('a killed server ends the connection of its client, and nothing is left open', async () => {
    const port = await publish();
    const server = await startTrafficServer(servers, 'send', SERVER, port, GIB);
    const before = director.sockets();
    const client = connect(port, VIP);
    const ended = outcome(client);
    await until('data flows', () => client.bytesRead > MIB);
    server.kill('SIGKILL');
    // The kernel ends a killed process's connection by FIN, or by RST if something was unread.
    const stateAfter = { end: 'TIME_WAIT', ECONNRESET: 'CLOSE' }[await ended];
    await flowsEnded();
    expect(director.sockets()).toBe(before);
    expect(await states(port)).toEqual([stateAfter]);
  });

  test('a killed client ends its connection to the server, and nothing is left open', async () => {
    const port = await publish();
    await startTrafficServer(servers, 'send', SERVER, port, GIB);
    const before = director.sockets();
    const client = servers.start([
      'curl',
      '-s',
      '--http0.9',
      '--limit-rate',
      '1M',
      '-o',
      '/dev/null',
      `http://${VIP}:${port}/`,
    ]);
    await until('the connection is established', async () => (await states(port)).includes('ESTABLISHED'));
    client.kill('SIGKILL');
    await flowsEnded();
    expect(director.sockets()).toBe(before);
    expect(await states(port)).toEqual(['CLOSE']);
  });

  test('a refusing server resets the client, and its entry is in CLOSE', async () => {
    const port = await publish();
    expect(await outcome(connect(port, VIP))).toBe('ECONNRESET');
    expect(await states(port)).toEqual(['CLOSE']);
    await flowsEnded();
  });

  test('a service whose servers are all quiesced resets new clients and keeps old ones', async () => {
    const port = await publish();
    const echo = await startEcho(port);
    const client = connect(port, VIP);
    expect(await say(client, 'before')).toBe('before');
    await director.ok(`-e -t ${VIP}:${port} -r ${SERVER}:${port} -m -w 0`);
    expect(await outcome(connect(port, VIP))).toBe('ECONNRESET');
    expect(await say(client, 'after')).toBe('after');
    client.destroy();
    echo.close();
    await flowsEnded();
  });

  test('a deleted server gets nothing more, until it is there again', async () => {
    const port = await publish();
    const echo = await startEcho(port);
    const client = connect(port, VIP);
    expect(await say(client, 'before')).toBe('before');
    await director.ok(`-d -t ${VIP}:${port} -r ${SERVER}:${port}`);
    const answer = say(client, 'while deleted');
    expect(await Promise.race([answer, sleep(500, 'silence')])).toBe('silence');
    await director.ok(`-a -t ${VIP}:${port} -r ${SERVER}:${port} -m`);
    expect(await answer).toBe('while deleted');
    client.destroy();
    echo.close();
    await flowsEnded();
  });

  test('an idle connection is reset when its entry ends', async () => {
    const port = await publish();
    const echo = await startEcho(port);
    await director.ok('--set 1 0 0');
    const client = connect(port, VIP);
    expect(await say(client, 'hello')).toBe('hello');
    expect(await outcome(client)).toBe('ECONNRESET');
    expect(await states(port)).toEqual([]);
    await director.ok('--set 900 0 0');
    echo.close();
    await flowsEnded();
  });
});

async function startEcho(port: number): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.pipe(socket);
  });
  server.listen(port, SERVER);
  await once(server, 'listening');
  return server;
}

async function flowsEnded(): Promise<void> {
  await until('no flow is open', async () => (await director.status()).counters['tcp_flows_open'] === 0);
}

/** States of the entries of a service's port. */
async function states(port: number): Promise<string[]> {
  const lines = (await director.ok('-L -n -c'))
    .split('\n')
    .filter((line) => line.includes(`${VIP}:${port} `));
  return lines.map((line) => line.split(/\s+/)[2]!);
}

function outcome(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    socket.on('data', () => {});
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.on('end', () => resolve('end'));
  });
}

function say(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  return new Promise((resolve, reject) => {
    socket.once('data', (chunk) => resolve(chunk.toString()));
    socket.once('error', reject);
  });
}

function residentBytes(): number {
  const status = readFileSync(`/proc/${director.process?.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}
