import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { PROTOCOL } from '../../src/core/config.ts';
import { udpClient, udpServer } from './datagrams.ts';
import {
  addDest,
  addService,
  deleteDest,
  dest,
  occupy,
  service,
  setNodest,
  usePlane,
} from './plane-fixture.ts';
import { dial, echo, freePort, tcpServer, until, VIP } from './sockets.ts';

const use = usePlane();

describe('serving', () => {
  test('a TCP service with a server relays, and its counters and entry say so', async () => {
    const { config } = await use().served();
    const client = dial(config.port);
    client.socket.end('hello');
    await until('the echo has ended', () => client.outcome() === 'end');
    expect(client.received().toString()).toBe('hello');
    expect(use().state()).toBe('served');
    expect(use().director.connectionCount).toBe(1);
    expect(use().plane.counters()).toMatchObject({ tcp_accepted: 1, tcp_connected: 1 });
    await until('the sockets are closed', () => use().count('tcp_flows_open') === 0);
  });

  test('a UDP service with a server relays', async () => {
    const real = await udpServer();
    const config = service(await freePort(VIP), { protocol: PROTOCOL.UDP });
    await use().apply(addService(config), addDest(config, dest(real.port)));
    const client = await udpClient(config.port);
    client.send('hello');
    await until('the reply has come', () => client.received.length === 1);
    expect(use().plane.counters()).toMatchObject({
      udp_sockets_open: 1,
      udp_datagrams_in: 1,
      udp_datagrams_out: 1,
    });
  });

  test('an IPv6 service relays', async () => {
    const real = await tcpServer(echo, '::1');
    const config = service(await freePort('::1'), { vip: '::1' });
    await use().apply(addService(config), addDest(config, dest(real.port, { ip: '::1' })));
    const client = dial(config.port, { host: '::1' });
    client.socket.end('six');
    await until('the echo has ended', () => client.outcome() === 'end');
    expect(client.received().toString()).toBe('six');
  });

  test('a service listens from its first server to its last', async () => {
    const config = service(await freePort(VIP));
    const server = dest(9);
    const attempt = async (): Promise<string | undefined> => {
      const client = dial(config.port);
      await until('the client knows', () => client.outcome() !== undefined);
      return client.outcome();
    };
    await use().apply(addService(config));
    expect(use().state()).toBe('no servers');
    expect(await attempt()).toBe('ECONNREFUSED');
    await use().apply(addDest(config, { ...server, weight: 0 }));
    expect(use().state()).toBe('served');
    expect(await attempt()).toBe('ECONNRESET');
    expect(use().plane.counters()).toMatchObject({ tcp_refused_no_dest: 1 });
    await use().apply(deleteDest(config, server));
    expect(await attempt()).toBe('ECONNREFUSED');
  });

  test('a deleted service frees its port at once', async () => {
    const { config } = await use().served();
    await use().apply({ op: 'delete-service', service: config });
    await occupy(config.port);
  });
});

describe('flows and their entries', () => {
  test('flows of a deleted server are not read until it returns', async () => {
    const { config, server } = await use().served();
    const client = dial(config.port);
    client.socket.write('one');
    await until('the echo has come', () => client.received().toString() === 'one');
    await use().apply(deleteDest(config, server));
    client.socket.write('two');
    await sleep(60);
    expect(client.received().toString()).toBe('one');
    await use().apply(addDest(config, server));
    await until('the rest has come', () => client.received().toString() === 'onetwo');
  });

  test('flows of a deleted service stay open, unread', async () => {
    const { config } = await use().served();
    const client = dial(config.port);
    client.socket.write('one');
    await until('the echo has come', () => client.received().toString() === 'one');
    await use().apply({ op: 'delete-service', service: config });
    client.socket.write('two');
    await sleep(60);
    expect(client.received().toString()).toBe('one');
    expect(client.outcome()).toBeUndefined();
    expect(use().plane.counters()).toMatchObject({ tcp_flows_open: 1, tcp_listeners: 0 });
  });

  test('with expire_nodest_conn flows of a deleted server are reset', async () => {
    const { config, server } = await use().served();
    await use().apply(setNodest('1'));
    const client = dial(config.port);
    client.socket.write('one');
    await until('the echo has come', () => client.received().toString() === 'one');
    await use().apply(deleteDest(config, server));
    await until('the client is told', () => client.outcome() === 'ECONNRESET');
    expect(use().plane.counters()).toMatchObject({ tcp_reset_nodest: 1 });
  });

  test('an entry that ends while its sockets are open resets them', async () => {
    const { config } = await use().served();
    await use().apply({ op: 'set-timeouts', timeouts: { tcpSec: 1, tcpFinSec: 0, udpSec: 0 } });
    const client = dial(config.port);
    client.socket.write('one');
    await until('the echo has come', () => client.received().toString() === 'one');
    await until('the client is told', () => client.outcome() === 'ECONNRESET');
    expect(use().plane.counters()).toMatchObject({ tcp_reset_by_expiry: 1 });
  });

  test('an entry of UDP that ends closes its socket', async () => {
    const real = await udpServer();
    const config = service(await freePort(VIP), { protocol: PROTOCOL.UDP });
    await use().apply({ op: 'set-timeouts', timeouts: { tcpSec: 0, tcpFinSec: 0, udpSec: 1 } });
    await use().apply(addService(config), addDest(config, dest(real.port)));
    const client = await udpClient(config.port);
    client.send('hello');
    await until('the reply has come', () => client.received.length === 1);
    await until('the socket is closed', () => use().count('udp_sockets_open') === 0);
    expect(use().plane.counters()).toMatchObject({ udp_sockets_expired: 1 });
  });

  test('a client that uses its port again gets a new flow', async () => {
    const { config } = await use().served();
    const localPort = await freePort('127.0.0.1');
    for (const round of ['one', 'two']) {
      const client = dial(config.port, { localPort });
      client.socket.write(round);
      await until('the echo has come', () => client.received().toString() === round);
      client.socket.resetAndDestroy();
      await until('the flow is over', () => use().count('tcp_flows_open') === 0);
    }
  });
});

describe('stopping', () => {
  test('a draining plane accepts nobody, lets flows end and stops early', async () => {
    const { config } = await use().served();
    const client = dial(config.port);
    client.socket.write('one');
    await until('the echo has come', () => client.received().toString() === 'one');
    const stopped = use().plane.stop(4000);
    const late = dial(config.port);
    await until('the late one is told', () => late.outcome() === 'ECONNREFUSED');
    client.socket.end('two');
    await until('the rest has come', () => client.outcome() === 'end');
    expect(client.received().toString()).toBe('onetwo');
    await stopped;
  });

  test('what is left after the drain is reset', async () => {
    const { config } = await use().served();
    const client = dial(config.port);
    client.socket.write('one');
    await until('the echo has come', () => client.received().toString() === 'one');
    await use().plane.stop(30);
    await until('the client is told', () => client.outcome() === 'ECONNRESET');
  });
});
