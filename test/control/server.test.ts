import { once } from 'node:events';
import { existsSync, lstatSync, readdirSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import { ClientStream } from '../../src/control/client-stream.ts';
import type { ControlSession } from '../../src/control/conversation.ts';
import { Deframer, frame } from '../../src/control/framing.ts';
import { ControlServer } from '../../src/control/server.ts';
import { tempDir } from './temp-dir.ts';

const END = new Uint8Array(16).fill(0xff);

/** All reply datagrams up to the end mark. */
async function ask(client: ClientStream, request: Uint8Array): Promise<Uint8Array[]> {
  const replies: Uint8Array[] = [];
  await client.exchange(request, (reply) => {
    replies.push(reply);
    return reply[0] === 0xff;
  });
  return replies;
}

/** Answers a datagram with itself and an end mark. */
const echo: ControlSession = {
  *answer(datagram) {
    yield Promise.resolve([datagram, END]);
  },
};

test('the socket appears with its permissions only, and goes with the director', async () => {
  const { server, path } = await listening(() => echo, 0o600);
  expect(readdirSync(dirname(path))).toEqual(['netlink.sock']);
  expect(lstatSync(path).mode & 0o777).toBe(0o600);
  await server.close(100);
  expect(readdirSync(dirname(path))).toEqual([]);
});

test('a request is answered in datagrams up to the end mark', async () => {
  const { path } = await listening(() => echo);
  const client = await ClientStream.open(path);
  const request = new Uint8Array(100).fill(5);
  expect(await ask(client, request)).toEqual([request, END]);
  client.close();
});

test('requests that are sent at once are under way together, and answered in order by whole answers', async () => {
  let running = 0;
  let most = 0;
  const { path } = await listening(() => ({
    *answer(datagram) {
      most = Math.max(most, ++running);
      yield sleep(5 - datagram[0]!).then(() => {
        running -= 1;
        return [datagram, END];
      });
    },
  }));
  const client = await ClientStream.open(path);
  const requests = [0, 1, 2, 3, 4].map((n) => new Uint8Array(16).fill(n));
  const answers = await Promise.all(requests.map((request) => ask(client, request)));
  expect(answers.map(([first]) => first)).toEqual(requests);
  expect(most).toBeGreaterThan(1);
  client.close();
});

test('a client that closes its sending side still gets its answers, then the end', async () => {
  const { path } = await listening(() => echo);
  const socket = connect({ path, allowHalfOpen: true });
  const request = new Uint8Array(5000).fill(1);
  for (let i = 0; i < 200; i++) socket.write(frame(request));
  socket.end();
  expect(await datagrams(socket)).toHaveLength(400);
});

test.each([
  { what: 'an impossible length', bytes: new Uint8Array([3, 0, 0, 0]) },
  { what: 'a length over the limit', bytes: new Uint8Array([1, 0, 16, 0]) },
  { what: 'text', bytes: new TextEncoder().encode('GET / HTTP/1.1\r\n\r\n') },
  { what: 'half a frame and the end', bytes: frame(new Uint8Array(64)).subarray(0, 30), ends: true },
])('$what closes that connection and no other', async ({ bytes, ends }) => {
  const { path, warn } = await listening(() => echo);
  const good = await ClientStream.open(path);
  const bad = connect(path);
  bad.on('error', () => {});
  bad.write(bytes);
  if (ends) bad.end();
  bad.resume();
  await once(bad, 'close');
  expect(await ask(good, END)).toHaveLength(1);
  expect(warn).not.toHaveBeenCalled();
  good.close();
});

test('a session that fails closes its connection with a word about it', async () => {
  const { path, warn } = await listening(() => ({
    answer() {
      throw new Error('defect');
    },
  }));
  const client = await ClientStream.open(path);
  await expect(ask(client, END)).rejects.toThrow();
  expect(warn).toHaveBeenCalledWith('control connection: defect');
});

test('a dump is made no faster than it is read, and others are served meanwhile', async () => {
  let made = 0;
  const big = new Uint8Array(1 << 16);
  const { path } = await listening(() => ({
    *answer(datagram) {
      yield Promise.resolve(
        (function* () {
          for (; datagram[0] === 1 && made < 1000; made++) yield big;
          yield END;
        })(),
      );
    },
  }));
  const slow = connect(path).pause();
  slow.write(frame(new Uint8Array(16).fill(1)));
  const other = await ClientStream.open(path);
  await vi.waitFor(() => expect(made).toBeGreaterThan(0));
  for (let i = 0; i < 20; i++) await ask(other, END);
  expect(made).toBeLessThan(20);
  const all = datagrams(slow, 1001);
  slow.resume();
  expect(await all).toHaveLength(1001);
  slow.destroy();
  other.close();
});

test('a client that goes in the middle of its answer leaves nothing behind', async () => {
  const finished = vi.fn();
  const { path, server, warn } = await listening(() => ({
    *answer() {
      yield Promise.resolve(
        (function* () {
          try {
            for (;;) yield new Uint8Array(1 << 16);
          } finally {
            finished();
          }
        })(),
      );
    },
  }));
  for (let i = 0; i < 20; i++) {
    const client = connect(path);
    client.write(frame(END));
    await once(client, 'data');
    client.destroy();
  }
  await vi.waitFor(() => expect(finished).toHaveBeenCalledTimes(20));
  await server.close(0);
  expect(warn).not.toHaveBeenCalled();
});

test('many clients at a time are served', async () => {
  const { path } = await listening(() => echo);
  const clients = await Promise.all(Array.from({ length: 200 }, () => ClientStream.open(path)));
  const answers = await Promise.all(clients.map((client) => ask(client, END)));
  expect(answers).toHaveLength(200);
  for (const client of clients) client.close();
});

test('the socket that a killed director left is replaced', async () => {
  const path = join(tempDir(), 'netlink.sock');
  writeFileSync(path, '');
  await listening(() => echo, 0o600, path);
  const client = await ClientStream.open(path);
  expect(await ask(client, END)).toEqual([END]);
  client.close();
});

test('the socket of a successor is not removed', async () => {
  const { path, server } = await listening(() => echo);
  const successor = await listening(() => echo, 0o600, path);
  await server.close(0);
  expect(existsSync(path)).toBe(true);
  const client = await ClientStream.open(path);
  client.close();
  await successor.server.close(0);
});

test('an answer under way is finished at the stop', async () => {
  let go = (): void => {};
  const gate = new Promise<void>((resolve) => {
    go = resolve;
  });
  const { path, server } = await listening(() => ({
    *answer() {
      yield gate.then(() => [END]);
    },
  }));
  const client = await ClientStream.open(path);
  const idle = await ClientStream.open(path);
  const answer = ask(client, END);
  await sleep(20);
  const closed = server.close(5000);
  go();
  expect(await answer).toEqual([END]);
  await closed;
  await expect(ask(idle, END)).rejects.toThrow();
});

test('an answer that does not end is cut off after the time of grace', async () => {
  const { path, server } = await listening(() => ({
    *answer() {
      yield new Promise<never>(() => {});
    },
  }));
  const client = await ClientStream.open(path);
  const answer = ask(client, END);
  await sleep(20);
  await Promise.all([server.close(30), expect(answer).rejects.toThrow('closed the connection')]);
});

test('a path that the system would cut short is refused', async () => {
  const path = join(tempDir(), 'x'.repeat(100), 'netlink.sock');
  const server = new ControlServer({ path, mode: 0o600, createSession: () => echo, warn: () => {} });
  await expect(server.listen()).rejects.toThrow('longer than 107 bytes');
});

test('a missing directory is told in one line', async () => {
  const path = join(tempDir(), 'none', 'netlink.sock');
  const server = new ControlServer({ path, mode: 0o600, createSession: () => echo, warn: () => {} });
  await expect(server.listen()).rejects.toThrow(/^listen on .*netlink\.sock: E[A-Z]+$/);
});

const servers: ControlServer[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close(0)));
});

async function listening(
  createSession: () => ControlSession,
  mode = 0o600,
  path = join(tempDir(), 'netlink.sock'),
) {
  const warn = vi.fn();
  const server = new ControlServer({ path, mode, createSession, warn });
  await server.listen();
  servers.push(server);
  return { server, path, warn };
}

/** All datagrams until the end of the stream, or the first `count`. */
async function datagrams(socket: Socket, count = Number.POSITIVE_INFINITY): Promise<Uint8Array[]> {
  const deframer = new Deframer(1 << 20);
  const found: Uint8Array[] = [];
  return new Promise((resolve, reject) => {
    socket.on('data', (chunk: Uint8Array) => {
      found.push(...deframer.push(chunk));
      if (found.length >= count) resolve(found);
    });
    socket.on('end', () => resolve(found));
    socket.on('error', reject);
  });
}
