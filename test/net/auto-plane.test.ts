import { beforeEach, describe, expect, test } from 'vitest';
import type { Command } from '../../src/core/commands.ts';
import { METHOD, SERVICE_FLAG } from '../../src/core/config.ts';
import { IpvsError } from '../../src/core/errors.ts';
import { AutoPlane } from '../../src/net/auto-plane.ts';
import type { Plane } from '../../src/net/plane.ts';
import type { ServicesView, ServiceView } from '../../src/net/service-view.ts';
import { addDest, addService, dest, service } from './plane-fixture.ts';

/** A plane that only says which services it was shown and what it was asked. */
class Recorder implements Plane {
  readonly prepared: string[] = [];
  refuse: IpvsError | undefined;
  private readonly name: 'proxy' | 'packet';
  private readonly services: ServicesView;

  constructor(name: 'proxy' | 'packet', services: ServicesView) {
    this.name = name;
    this.services = services;
  }

  prepare(command: Command): Promise<void> {
    this.prepared.push(command.op);
    return this.refuse ? Promise.reject(this.refuse) : Promise.resolve();
  }

  reconcile(): Promise<void> {
    return Promise.resolve();
  }

  states() {
    return Array.from(this.services.all(), (each) => ({
      service: each,
      plane: this.name,
      state: `port ${each.port}`,
    }));
  }

  counters() {
    return { [this.name]: 1 };
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  expired(): void {
    // Nothing hangs on entries here.
  }
}

let table: ServiceView[];
let proxy: Recorder;
let packet: Recorder;
/** By port: what the core was told. */
const proxied = new Map<number, boolean>();

const services: ServicesView = {
  all: () => table,
  find: (key) => table.find((each) => each.port === key.port && each.fwmark === key.fwmark),
};

function plane(missing?: string): AutoPlane {
  return new AutoPlane({
    services,
    proxy: (view) => {
      proxy = new Recorder('proxy', view);
      return proxy;
    },
    packet: (view) => {
      packet = new Recorder('packet', view);
      return missing === undefined ? packet : { missing };
    },
    setProxied: (key, isProxied) => proxied.set(key.port, isProxied),
  });
}

/** As the director's host does it: asked first, then in the table, then told. */
async function change(auto: AutoPlane, command: Command): Promise<void> {
  await auto.prepare(command);
  if (command.op === 'add-service') table.push({ ...command.service, dests: [] });
  if (command.op === 'delete-service') table = table.filter((each) => each.port !== command.service.port);
  if (command.op === 'add-dest')
    table = table.map((each) =>
      each.port === command.service.port ? { ...each, dests: [...each.dests, command.dest!] } : each,
    );
  await auto.reconcile(command);
}

const planes = (auto: AutoPlane): string[] => auto.states().map((each) => `${each.plane} ${each.state}`);

beforeEach(() => {
  table = [];
});

describe('with both planes', () => {
  test('a service with masqueraded servers is proxied', async () => {
    const auto = plane();
    await change(auto, addService(service(80)));
    await change(auto, addDest(service(80), dest(8080)));
    expect(planes(auto)).toEqual(['proxy port 80']);
    expect(packet.prepared).toEqual([]);
  });

  test.each([
    ['a mark', { fwmark: 7, port: 0 }],
    ['port 0', { port: 0, flags: SERVICE_FLAG.PERSISTENT }],
    ['one-packet scheduling', { flags: SERVICE_FLAG.ONE_PACKET }],
  ])('a service with %s goes by packets', async (_, more) => {
    const auto = plane();
    await change(auto, addService({ ...service(80), ...more }));
    expect(auto.states().map((each) => each.plane)).toEqual(['packet']);
    expect(proxy.prepared).toEqual([]);
  });

  test('a proxied service goes by packets with its first gateway server, and stays', async () => {
    const auto = plane();
    await change(auto, addService(service(80)));
    await change(auto, addDest(service(80), dest(8080)));
    await change(auto, addDest(service(80), { ...dest(80), method: METHOD.ROUTE }));
    expect(planes(auto)).toEqual(['packet port 80']);
    await change(auto, addDest(service(80), dest(8081)));
    expect(planes(auto)).toEqual(['packet port 80']);
  });

  test('a deleted service may come back as a proxied one', async () => {
    const auto = plane();
    await change(auto, addService(service(80)));
    await change(auto, addDest(service(80), { ...dest(80), method: METHOD.ROUTE }));
    await change(auto, { op: 'delete-service', service: service(80) });
    await change(auto, addService(service(80)));
    expect(planes(auto)).toEqual(['proxy port 80']);
  });

  test('a port that another socket holds goes by packets', async () => {
    const auto = plane();
    proxy.refuse = new IpvsError('EADDRINUSE', 'in use');
    await change(auto, addService(service(80)));
    expect(planes(auto)).toEqual(['packet port 80']);
  });

  test('any other refusal of the proxy is the answer', async () => {
    const auto = plane();
    proxy.refuse = new IpvsError('ELOOP', 'a loop');
    await expect(change(auto, addService(service(80)))).rejects.toThrow('a loop');
    expect(packet.prepared).toEqual([]);
  });

  test('rules that were restored are assigned without being asked for', async () => {
    const auto = plane();
    table = [
      { ...service(80), dests: [dest(8080)] },
      { ...service(81), dests: [{ ...dest(81), method: METHOD.TUNNEL }] },
    ];
    await auto.reconcile(undefined);
    expect(planes(auto)).toEqual(['proxy port 80', 'packet port 81']);
  });

  test('the core knows which services sockets serve', async () => {
    const auto = plane();
    await change(auto, addService(service(80)));
    await change(auto, addService({ ...service(81), fwmark: 7 }));
    expect([proxied.get(80), proxied.get(81)]).toEqual([true, false]);
    await change(auto, addDest(service(80), { ...dest(80), method: METHOD.ROUTE }));
    expect(proxied.get(80)).toBe(false);
  });

  test('counters are those of both', () => {
    expect(plane().counters()).toEqual({ proxy: 1, packet: 1 });
  });
});

test('without the packet plane a refusal says what is missing', async () => {
  const auto = plane('CAP_NET_ADMIN is missing');
  await change(auto, addService(service(80)));
  proxy.refuse = new IpvsError('EOPNOTSUPP', 'needs the packet plane');
  const gateway = addDest(service(80), { ...dest(80), method: METHOD.ROUTE });
  await expect(change(auto, gateway)).rejects.toThrow(
    'needs the packet plane, which this process cannot have: CAP_NET_ADMIN is missing',
  );
});
