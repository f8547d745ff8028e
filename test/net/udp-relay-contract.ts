import { createSocket } from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { NOT_OPENED } from '../../src/core/flow.ts';
import { UdpCoreEvents } from '../../src/net/core-events.ts';
import { DescriptorBudget } from '../../src/net/descriptors.ts';
import { createCounters, type ProxyCounters } from '../../src/net/proxy-counters.ts';
import type { RelayListener, UdpRelay, UdpRelayEvents } from '../../src/net/relay.ts';
import { type UdpServer, udpClient, udpServer } from './datagrams.ts';
import { FakeDirector } from './fake-director.ts';
import { address, until, VIP } from './sockets.ts';

/** What a UDP relay is made from, whatever its loop. */
export interface UdpRelayParts {
  readonly events: UdpRelayEvents;
  readonly descriptors: DescriptorBudget;
  readonly counters: ProxyCounters;
  readonly socketsMax: number;
  readonly now: () => number;
  readonly log: (message: string) => void;
}

/** What every UDP relay has to do. */
export function describeUdpRelay(name: string, create: (parts: UdpRelayParts) => UdpRelay): void {
  let director: FakeDirector;
  let descriptors: DescriptorBudget;
  let counters: ProxyCounters;
  let relay: UdpRelay;
  let listener: RelayListener;

  async function start(socketsMax: number, limit?: number, vip = VIP): Promise<void> {
    director = new FakeDirector();
    descriptors = new DescriptorBudget(limit);
    counters = createCounters();
    const now = (): number => performance.now();
    const events = new UdpCoreEvents({ director, counters, now });
    relay = create({ events, descriptors, counters, socketsMax, now, log: () => {} });
    listener = await relay.listen(address(vip), 0);
  }

  async function serve(): Promise<UdpServer> {
    const server = await udpServer();
    director.server = server;
    return server;
  }

  beforeEach(() => start(100));
  afterEach(async () => {
    await relay.stop();
    expect(relay.size).toBe(0);
    expect(descriptors.used).toBe(0);
  });

  describe(`${name}: datagrams`, () => {
    test('a datagram reaches the server, the reply its client, the core both', async () => {
      await serve();
      const client = await udpClient(listener.port);
      client.send('question');
      await until('the reply has come', () => client.received.length === 1);
      expect(client.received).toEqual(['question']);
      expect(director.flows).toMatchObject([
        {
          protocol: 17,
          caddr: address('127.0.0.1'),
          cport: client.port,
          vaddr: address(VIP),
          vport: listener.port,
        },
      ]);
      expect(director.events).toEqual(['0 out SYN']);
      expect(director.packets).toEqual([1, 1]);
      expect(director.bytes).toEqual([8, 8]);
    });

    test('clients keep their own socket to the server, and get their own replies', async () => {
      const server = await serve();
      const clients = await Promise.all(Array.from({ length: 20 }, () => udpClient(listener.port)));
      for (const round of [1, 2]) {
        for (const client of clients) client.send(`${round} ${client.port}`);
        await until('all replies have come', () =>
          clients.every((client) => client.received.length === round),
        );
      }
      for (const client of clients) expect(client.received).toEqual([`1 ${client.port}`, `2 ${client.port}`]);
      expect(new Set(server.peers.map((peer) => peer.port)).size).toBe(20);
      expect(relay.size).toBe(20);
    });

    test.each([0, 1, 1472, 65_507])('a datagram of %i bytes passes whole', async (length) => {
      await serve();
      const client = await udpClient(listener.port);
      client.send('x'.repeat(length));
      await until('the reply has come', () => client.received.length === 1);
      expect(client.received[0]).toHaveLength(length);
    });

    test('a datagram from another port than the server sends is not a reply', async () => {
      const server = await serve();
      const client = await udpClient(listener.port);
      client.send('question');
      await until('the reply has come', () => client.received.length === 1);
      const stranger = await udpServer();
      stranger.socket.send('forged', server.peers[0]!.port, server.peers[0]!.address);
      client.send('again');
      await until('the second reply has come', () => client.received.length === 2);
      await sleep(20);
      expect(client.received).toEqual(['question', 'again']);
    });

    test.each(Object.values(NOT_OPENED))(
      'a datagram that the core answers with %i is dropped',
      async (code) => {
        const server = await serve();
        director.refusal = code;
        const client = await udpClient(listener.port);
        client.send('question');
        await until('it is counted', () => counters.udp_refused === 1);
        expect(server.peers).toEqual([]);
        expect(relay.size).toBe(0);
      },
    );

    test('IPv6 works alike, and its listener leaves IPv4 alone', async () => {
      await relay.stop();
      await start(100, undefined, '::1');
      const server = await udpServer('::1');
      director.server = server;
      const client = await udpClient(listener.port, '::1');
      client.send('six');
      await until('the reply has come', () => client.received.length === 1);
      expect(director.flows[0]).toMatchObject({ caddr: address('::1'), vaddr: address('::1') });
    });
  });

  describe(`${name}: failures`, () => {
    test('a server that is not there is no failure of the relay: it may come back', async () => {
      const server = await serve();
      const { port } = server;
      server.close();
      const client = await udpClient(listener.port);
      client.send('lost');
      await until('the system says so', () => counters.udp_errors > 0);
      expect(relay.size).toBe(1);
      const again = createSocket('udp4');
      again.on('message', (data, from) => again.send(data, from.port, from.address));
      await new Promise<void>((resolve) => void again.bind({ address: '127.10.1.1', port }, resolve));
      client.send('found');
      await until('the reply has come', () => client.received.length === 1);
      again.close();
      expect(client.received).toEqual(['found']);
    });

    test('a server that cannot be asked costs the datagram, and no descriptor', async () => {
      director.server = { addr: address('255.255.255.255'), port: 9 };
      const client = await udpClient(listener.port);
      client.send('lost');
      await until('it is counted', () => counters.udp_dropped === 1);
      expect(relay.size).toBe(0);
      expect(descriptors.used).toBe(0);
    });

    test('an address in use is refused with its errno, and leaves nothing open', async () => {
      await expect(relay.listen(address(VIP), listener.port)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    });

    test('closing the listener closes the sockets of its flows', async () => {
      await serve();
      const client = await udpClient(listener.port);
      client.send('question');
      await until('the reply has come', () => client.received.length === 1);
      await listener.close();
      expect(relay.size).toBe(0);
      expect(descriptors.used).toBe(0);
    });
  });

  describe(`${name}: bounded sockets`, () => {
    test('the longest idle one is closed for a new one; its client is served again by a new socket', async () => {
      await relay.stop();
      await start(3);
      const server = await serve();
      const clients = await Promise.all(Array.from({ length: 4 }, () => udpClient(listener.port)));
      const ask = async (i: number): Promise<number> => {
        const asked = clients[i]!.received.length;
        clients[i]!.send('question');
        await until('the reply has come', () => clients[i]!.received.length === asked + 1);
        return server.peers.at(-1)!.port;
      };
      const ports = [await ask(0), await ask(1), await ask(2)];
      expect(await ask(0)).toBe(ports[0]);
      await ask(3);
      expect(counters.udp_sockets_evicted).toBe(1);
      expect(await ask(0)).toBe(ports[0]);
      expect(await ask(2)).toBe(ports[2]);
      expect(counters.udp_sockets_evicted).toBe(1);
      await ask(1);
      expect(counters.udp_sockets_evicted).toBe(2);
      expect(relay.size).toBe(3);
    });

    test('an ended entry closes its socket; the next datagram opens another', async () => {
      await serve();
      const client = await udpClient(listener.port);
      client.send('one');
      await until('the reply has come', () => client.received.length === 1);
      expect(relay.abort(0)).toBe(true);
      expect(relay.abort(0)).toBe(false);
      expect(relay.size).toBe(0);
      client.send('two');
      await until('the second reply has come', () => client.received.length === 2);
    });

    test('thousands of client ports in a burst hold no more descriptors than allowed', async () => {
      await relay.stop();
      await start(64, 64);
      const server = await serve();
      const PORTS = 3000;
      for (let i = 0; i < PORTS; i++) {
        const client = createSocket('udp4');
        await new Promise<void>((resolve) => client.send('x', listener.port, VIP, () => resolve()));
        client.close();
      }
      await until('most have come', () => server.peers.length > PORTS * 0.9);
      expect(relay.size).toBeLessThanOrEqual(64);
      expect(descriptors.used).toBe(relay.size);
      // The system may have given some clients a port that another one had shortly before.
      expect(counters.udp_sockets_evicted).toBeGreaterThan(PORTS / 2);
    });
  });
}
