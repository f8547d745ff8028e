import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { NOT_OPENED } from '../../src/core/flow.ts';
import { TcpCoreEvents } from '../../src/net/core-events.ts';
import { DescriptorBudget } from '../../src/net/descriptors.ts';
import { createCounters, type ProxyCounters } from '../../src/net/proxy-counters.ts';
import type { TcpRelay, TcpRelayEvents } from '../../src/net/relay.ts';
import { FakeDirector } from './fake-director.ts';
import {
  address,
  type Client,
  dial,
  echo,
  freePort,
  pattern,
  type TcpServer,
  tcpServer,
  until,
  VIP,
} from './sockets.ts';

/** What a relay is made from, whatever its loop. */
export interface RelayParts {
  readonly events: TcpRelayEvents;
  readonly descriptors: DescriptorBudget;
  readonly counters: ProxyCounters;
  readonly now: () => number;
  readonly log: (message: string) => void;
}

/** A slow reader may cost this much memory per direction. */
const BUFFER_BOUND = 256 << 10;

const MEGABYTE = 1 << 20;

/** What every TCP relay has to do. */
export function describeTcpRelay(name: string, create: (parts: RelayParts) => TcpRelay): void {
  let director: FakeDirector;
  let descriptors: DescriptorBudget;
  let counters: ProxyCounters;
  let relay: TcpRelay;
  let port: number;
  let logged: string[];

  async function start(limit?: number): Promise<void> {
    director = new FakeDirector();
    descriptors = new DescriptorBudget(limit);
    counters = createCounters();
    logged = [];
    const now = (): number => performance.now();
    const events = new TcpCoreEvents({ director, counters, now });
    relay = create({ events, descriptors, counters, now, log: (message) => void logged.push(message) });
    port = (await relay.listen(address(VIP), 0)).port;
  }

  async function serveWith(serve: Parameters<typeof tcpServer>[0]): Promise<TcpServer> {
    const server = await tcpServer(serve);
    director.server = server;
    return server;
  }

  async function established(): Promise<{ client: Client; server: TcpServer }> {
    const server = await serveWith(() => {});
    const client = dial(port);
    await until('the server is connected', () => director.told('in ACK') === 1);
    await until('the server has accepted', () => server.accepted.length === 1);
    return { client, server };
  }

  beforeEach(() => start());
  afterEach(async () => {
    await relay.stop();
    expect(relay.size).toBe(0);
    expect(descriptors.used).toBe(0);
  });

  describe(`${name}: streams`, () => {
    test.each([0, 1, 1449, 65_536, 9 * MEGABYTE])(
      'passes %i bytes on unchanged, both ways',
      async (length) => {
        await serveWith(echo);
        const client = dial(port);
        const sent = pattern(length);
        client.socket.end(sent);
        await until('the echo has ended', () => client.outcome() !== undefined);
        expect(client.outcome()).toBe('end');
        expect(client.received().equals(sent)).toBe(true);
        expect(director.bytes).toEqual([length, length]);
      },
    );

    test('tells the core the flow, the handshake and both ends, in order', async () => {
      await serveWith(echo);
      const client = dial(port);
      client.socket.end('hello');
      await until('the flow is over', () => client.outcome() === 'end' && relay.size === 0);
      expect(director.events).toEqual(['0 in SYN', '0 out SYN', '0 in ACK', '0 in FIN', '0 out FIN']);
      expect(director.flows[0]).toMatchObject({
        protocol: 6,
        caddr: address('127.0.0.1'),
        vaddr: address(VIP),
        vport: port,
      });
      // SYN, ACK, data, FIN; SYN+ACK, data, FIN.
      expect(director.packets).toEqual([4, 3]);
    });

    test('a client that has ended still gets the rest', async () => {
      const server = await serveWith(() => {});
      const client = dial(port);
      client.socket.end('bye');
      await until('the server is told', () => director.told('in FIN') === 1);
      server.accepted[0]!.write('late');
      await until('the answer has come', () => client.received().length === 4);
      server.accepted[0]!.resume().end();
      await until('the client is told', () => client.outcome() === 'end');
    });

    test('a server that has ended still gets the rest', async () => {
      const { client, server } = await established();
      let got = '';
      server.accepted[0]!.on('data', (chunk) => {
        got += chunk;
      });
      server.accepted[0]!.end('done');
      await until('the client is told', () => client.outcome() === 'end');
      expect(client.received().toString()).toBe('done');
      client.socket.end('late');
      await until('the rest has come', () => got === 'late');
      await until('the flow is over', () => relay.size === 0);
    });

    test('many flows at once do not mix', async () => {
      await serveWith(echo);
      const sent = Array.from({ length: 50 }, (_, i) => pattern(10_000 + i));
      const clients = sent.map((bytes) => {
        const client = dial(port);
        client.socket.end(bytes);
        return client;
      });
      await until('all have ended', () => clients.every((client) => client.outcome() === 'end'));
      for (const [i, client] of clients.entries()) expect(client.received().equals(sent[i]!)).toBe(true);
    });

    test('a slow server bounds what is read of the client, and loses nothing', async () => {
      const { client, server } = await established();
      const sent = pattern(32 * MEGABYTE);
      client.socket.end(sent);
      const seen = await settled(() => director.bytes[0]!);
      expect(seen).toBeLessThan(sent.length);
      expect(relay.bufferedBytes()).toBeLessThanOrEqual(BUFFER_BOUND);
      const chunks: Buffer[] = [];
      server.accepted[0]!.on('data', (chunk) => void chunks.push(chunk));
      await once(server.accepted[0]!, 'end');
      expect(Buffer.concat(chunks).equals(sent)).toBe(true);
    });

    test('a slow client bounds what is read of the server, and loses nothing', async () => {
      const sent = pattern(32 * MEGABYTE);
      await serveWith((socket) => void socket.end(sent));
      const { socket } = dial(port, { paused: true });
      socket.pause();
      const seen = await settled(() => director.bytes[1]!);
      expect(seen).toBeGreaterThan(0);
      expect(seen).toBeLessThan(sent.length);
      expect(relay.bufferedBytes()).toBeLessThanOrEqual(BUFFER_BOUND);
      const chunks: Buffer[] = [];
      socket.on('data', (chunk) => void chunks.push(chunk)).resume();
      await once(socket, 'end');
      expect(Buffer.concat(chunks).equals(sent)).toBe(true);
    });
  });

  describe(`${name}: failures`, () => {
    test.each([
      { code: NOT_OPENED.NO_SERVICE, counter: 'tcp_refused_no_service' },
      { code: NOT_OPENED.NO_DEST, counter: 'tcp_refused_no_dest' },
      { code: NOT_OPENED.DROP, counter: 'tcp_refused_drop' },
      { code: NOT_OPENED.TABLE_FULL, counter: 'tcp_refused_table_full' },
    ] as const)('a client that the core does not take ($counter) is reset', async ({ code, counter }) => {
      director.refusal = code;
      const client = dial(port);
      await until('the client is told', () => client.outcome() !== undefined);
      expect(client.outcome()).toBe('ECONNRESET');
      expect(counters[counter]).toBe(1);
      expect(director.events).toEqual([]);
    });

    test('a server that refuses: the core hears a reset of it, the client is reset', async () => {
      director.server = { addr: address('127.10.1.1'), port: await freePort('127.10.1.1') };
      const client = dial(port);
      await until('the client is told', () => client.outcome() !== undefined);
      expect(client.outcome()).toBe('ECONNRESET');
      expect(director.events).toEqual(['0 in SYN', '0 out RST']);
      expect(counters.tcp_server_refused).toBe(1);
    });

    test('a server out of reach: the core hears nothing, the client is reset', async () => {
      // TCP to a multicast address fails at once with ENETUNREACH.
      director.server = { addr: address('224.0.0.1'), port: 80 };
      const client = dial(port);
      await until('the client is told', () => client.outcome() !== undefined);
      expect(client.outcome()).toBe('ECONNRESET');
      expect(director.events).toEqual(['0 in SYN']);
      expect(counters.tcp_server_unreachable).toBe(1);
    });

    test('a reset of the client reaches the server and the core', async () => {
      const { client, server } = await established();
      const told = expect(once(server.accepted[0]!.resume(), 'close')).rejects;
      client.socket.resetAndDestroy();
      await told.toMatchObject({ code: 'ECONNRESET' });
      expect(director.events.at(-1)).toBe('0 in RST');
    });

    test('a reset of the server reaches the client and the core', async () => {
      const { client, server } = await established();
      server.accepted[0]!.resetAndDestroy();
      await until('the client is told', () => client.outcome() !== undefined);
      expect(client.outcome()).toBe('ECONNRESET');
      expect(director.events.at(-1)).toBe('0 out RST');
    });

    test('a reset after an end is still passed on', async () => {
      const { client, server } = await established();
      client.socket.end();
      await until('the server is told', () => director.told('in FIN') === 1);
      server.accepted[0]!.resetAndDestroy();
      await until('the client is told', () => client.outcome() !== undefined);
      expect(client.outcome()).toBe('ECONNRESET');
      expect(director.told('out RST')).toBe(1);
    });

    test.each([
      { when: 'at once', later: (work: () => void) => work() },
      { when: 'in the same turn of the loop', later: process.nextTick },
      { when: 'at the end of that turn', later: setImmediate },
      { when: 'in the next turn', later: (work: () => void) => void setTimeout(work, 1) },
    ])('a flow aborted $when after an end leaves no descriptor open', async ({ later }) => {
      const { client } = await established();
      director.onEvent = (event) => {
        if (event === '0 in FIN') later(() => void relay.abort(0));
      };
      client.socket.end();
      await until('nothing is open', () => client.outcome() !== undefined && descriptors.used === 0);
      expect(client.outcome()).toBe('ECONNRESET');
    });

    test('a client that is gone before the server answers leaves nothing open', async () => {
      await serveWith(() => {});
      for (let i = 0; i < 20; i++) {
        const { socket } = dial(port);
        socket.once('connect', () => void socket.resetAndDestroy());
      }
      await until('all were accepted and are over', () => relay.size === 0 && counters.tcp_accepted > 0);
    });

    test('an aborted flow resets both sides, without an event', async () => {
      const { client, server } = await established();
      const before = [...director.events];
      const told = expect(once(server.accepted[0]!.resume(), 'close')).rejects;
      expect(relay.abort(0)).toBe(true);
      expect(relay.abort(0)).toBe(false);
      await told.toMatchObject({ code: 'ECONNRESET' });
      await until('the client is told', () => client.outcome() === 'ECONNRESET');
      expect(director.events).toEqual(before);
    });
  });

  describe(`${name}: holding`, () => {
    test('a held flow is read in neither direction until it is released', async () => {
      const { client, server } = await established();
      server.accepted[0]!.pipe(server.accepted[0]!);
      relay.hold(0, true);
      client.socket.write('one');
      await sleep(50);
      expect(director.bytes).toEqual([0, 0]);
      relay.hold(0, false);
      await until('the echo has come', () => client.received().toString() === 'one');
      relay.hold(0, true);
      server.accepted[0]!.write('two');
      await sleep(50);
      expect(client.received().toString()).toBe('one');
      relay.hold(0, false);
      await until('the rest has come', () => client.received().toString() === 'onetwo');
    });

    test('a flow whose server was deleted while it connected starts held', async () => {
      await serveWith(echo);
      director.onEvent = (event) => {
        if (event === '0 in SYN') director.deleted.add(0);
      };
      const client = dial(port);
      client.socket.write('x');
      await until('the server is connected', () => director.told('in ACK') === 1);
      await sleep(30);
      expect(director.bytes).toEqual([0, 0]);
      relay.hold(0, false);
      await until('the echo has come', () => client.received().toString() === 'x');
    });
  });

  describe(`${name}: descriptors`, () => {
    test('when they run out, flows go on, clients are turned away, and later taken again', async () => {
      await relay.stop();
      await start(8);
      await serveWith(echo);
      const clients = Array.from({ length: 4 }, () => dial(port));
      await until('all are connected', () => director.told('in ACK') === 4);
      const late = dial(port);
      await until('the late one is told', () => late.outcome() !== undefined);
      expect(['ECONNREFUSED', 'ECONNRESET']).toContain(late.outcome());
      expect(counters.tcp_accept_pauses).toBe(1);
      expect(logged).toHaveLength(1);
      clients[0]!.socket.write('still here');
      await until('the echo has come', () => clients[0]!.received().toString() === 'still here');
      clients[1]!.socket.end();
      await until('one flow is over', () => relay.size === 3);
      await until('a new client is served', () => {
        const { socket } = dial(port);
        socket.end();
        return director.told('in ACK') >= 5;
      });
      expect(logged).toHaveLength(1);
    });
  });
}

/** Waits until a number has not changed for 200 ms. */
async function settled(read: () => number): Promise<number> {
  for (let last = -1; ; ) {
    await sleep(200);
    const value = read();
    if (value === last) return value;
    last = value;
  }
}
