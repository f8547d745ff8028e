import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { Command } from '../../src/core/commands.ts';
import { METHOD, PROTOCOL, SERVICE_FLAG } from '../../src/core/config.ts';
import { IpvsError } from '../../src/core/errors.ts';
import { addDest, addService, dest, occupy, PERSISTENT, service, usePlane } from './plane-fixture.ts';
import { freePort, SERVER, until, VIP } from './sockets.ts';

/** An address that no machine of a test has. */
const NOT_HERE = '203.0.113.7';

const use = usePlane();

describe('serving states', () => {
  test.each([
    { why: 'address 0.0.0.0', config: service(80, { vip: '0.0.0.0' }) },
    { why: 'address ::', config: service(80, { vip: '::' }) },
    { why: 'firewall mark 7', config: service(0, { protocol: 0, fwmark: 7, vip: '0.0.0.0' }) },
    { why: 'SCTP', config: service(80, { protocol: PROTOCOL.SCTP }) },
    { why: 'port 0', config: service(0, PERSISTENT) },
    { why: 'one-packet scheduling', config: service(53, { protocol: 17, flags: SERVICE_FLAG.ONE_PACKET }) },
    {
      why: 'persistence engine sip',
      config: service(5060, { protocol: 17, flags: SERVICE_FLAG.PERSISTENT, pe: 'sip' }),
    },
  ])('a restored service is kept and listed as unservable: $why', async ({ why, config }) => {
    await use().restore(
      addService(config),
      addDest(config, dest(80, { ip: config.family === 2 ? SERVER : '::1' })),
    );
    expect(use().plane.states()).toMatchObject([{ plane: 'proxy', state: `unservable: ${why}` }]);
  });

  test('a restored service with a server that is not masqueraded is unservable', async () => {
    const config = service(await freePort(VIP));
    await use().restore(addService(config), addDest(config, dest(config.port, { method: METHOD.ROUTE })));
    expect(use().state()).toBe(`unservable: server ${SERVER}:${config.port} is not masqueraded`);
  });

  test('a service on an address that is not local is accepted and waits', async () => {
    const config = service(8080, { vip: NOT_HERE });
    await use().apply(addService(config), addDest(config, dest(9)));
    expect(use().state()).toBe('waiting: address');
  });

  test('a restored service whose port is in use waits, and is served soon after it is free', async () => {
    const config = service(await freePort(VIP));
    const other = createServer().listen({ port: config.port, host: VIP, exclusive: true });
    await once(other, 'listening');
    await use().restore(addService(config), addDest(config, dest(9)));
    expect(use().state()).toBe('waiting: port');
    other.close();
    await until('it is served', () => use().state() === 'served');
  });
});

describe('changes refused with nothing changed', () => {
  test.each([
    { what: 'a firewall mark', config: service(0, { protocol: 0, fwmark: 7 }), errno: 'EOPNOTSUPP' },
    { what: 'SCTP', config: service(80, { protocol: PROTOCOL.SCTP }), errno: 'EPROTONOSUPPORT' },
    { what: 'port 0', config: service(0, PERSISTENT), errno: 'EOPNOTSUPP' },
    {
      what: 'one-packet scheduling',
      config: service(53, { protocol: 17, flags: SERVICE_FLAG.ONE_PACKET }),
      errno: 'EOPNOTSUPP',
    },
  ])('a service with $what: $errno', async ({ config, errno }) => {
    const error = await refusal(addService(config));
    expect(error.errno).toBe(errno);
    expect(error.message).toMatch(/^the proxy plane cannot serve .*: needs the packet plane$/);
  });

  test('a service whose address and port are in use, naming them', async () => {
    const port = await freePort(VIP);
    await occupy(port);
    const error = await refusal(addService(service(port)));
    expect(error.errno).toBe('EADDRINUSE');
    expect(error.message).toContain(`TCP ${VIP}:${port}`);
  });

  test('the first server of a service whose port was taken meanwhile', async () => {
    const config = service(await freePort(VIP));
    await use().apply(addService(config));
    await occupy(config.port);
    expect((await refusal(addDest(config, dest(9)))).errno).toBe('EADDRINUSE');
    expect(use().state()).toBe('no servers');
  });

  test.each(['ROUTE', 'TUNNEL', 'LOCAL'] as const)('a server with method %s', async (method) => {
    const { config, server } = await use().served();
    const other = dest(9, { method: METHOD[method] });
    expect((await refusal(addDest(config, other))).errno).toBe('EOPNOTSUPP');
    const edited = { ...server, method: METHOD[method] };
    expect((await refusal({ op: 'edit-dest', service: config, dest: edited })).errno).toBe('EOPNOTSUPP');
  });

  test('one-packet scheduling for a service that is served', async () => {
    const { config } = await use().served();
    const edited = { ...config, flags: SERVICE_FLAG.ONE_PACKET };
    const command: Command = { op: 'edit-service', service: edited, flagsMask: SERVICE_FLAG.ONE_PACKET };
    expect((await refusal(command)).errno).toBe('EOPNOTSUPP');
    await expect(use().plane.prepare({ ...command, flagsMask: 0 })).resolves.toBeUndefined();
  });

  test('a server that is a virtual service of this director', async () => {
    const { config } = await use().served();
    const other = service(await freePort(VIP));
    await use().apply(addService(other));
    for (const target of [config, other])
      expect((await refusal(addDest(other, dest(target.port, { ip: VIP })))).errno).toBe('ELOOP');
  });

  test('the same address and port of another protocol is no loop', async () => {
    const { config } = await use().served();
    const other = service(await freePort(VIP), { protocol: PROTOCOL.UDP });
    await use().apply(addService(other), addDest(other, dest(config.port, { ip: VIP })));
    expect(
      use()
        .plane.states()
        .map((entry) => entry.state),
    ).toEqual(['served', 'served']);
  });

  test.each<{ what: string; command: Command }>([
    { what: 'a server for', command: addDest(service(1), dest(1, { method: METHOD.ROUTE })) },
    { what: 'an edit of', command: { op: 'edit-service', service: service(1), flagsMask: 0xffffffff } },
    { what: 'a deletion of', command: { op: 'delete-service', service: service(1) } },
  ])('$what an unknown service is left to the core', async ({ command }) => {
    await expect(use().plane.prepare(command)).resolves.toBeUndefined();
  });

  test('a service or a server that is there already is left to the core', async () => {
    const { config, server } = await use().served();
    await expect(use().plane.prepare(addService(config))).resolves.toBeUndefined();
    await expect(
      use().plane.prepare(addDest(config, { ...server, method: METHOD.ROUTE })),
    ).resolves.toBeUndefined();
  });

  test('a listener prepared for a server that the core then refuses does not stay', async () => {
    const config = service(await freePort(VIP));
    await use().apply(addService(config));
    await use().plane.prepare(addDest(config, dest(9)));
    expect(use().plane.counters()).toMatchObject({ tcp_listeners: 1 });
    await use().plane.reconcile(addDest(config, dest(9)));
    expect(use().plane.counters()).toMatchObject({ tcp_listeners: 0 });
  });
});

/** @returns what the plane refuses a change with */
async function refusal(command: Command): Promise<IpvsError> {
  const error: unknown = await use()
    .plane.prepare(command)
    .catch((thrown: unknown) => thrown);
  if (!(error instanceof IpvsError)) throw new Error(`not refused: ${command.op}`);
  return error;
}
