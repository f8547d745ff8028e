import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, beforeEach, expect, onTestFinished } from 'vitest';
import type { Command } from '../../src/core/commands.ts';
import {
  type DestConfig,
  METHOD,
  PROTOCOL,
  SERVICE_FLAG,
  type ServiceConfig,
} from '../../src/core/config.ts';
import { Director } from '../../src/core/director.ts';
import { CoreClock, monotonicNow } from '../../src/net/clock.ts';
import { ProxyPlane } from '../../src/net/proxy-plane.ts';
import { SCHEDULERS } from '../../src/schedulers/registry.ts';
import { address, echo, freePort, SERVER, tcpServer, VIP } from './sockets.ts';

export const PERSISTENT = { flags: SERVICE_FLAG.PERSISTENT, timeoutSec: 60 };

/** A director and its proxy plane, put together as in the program. */
export class PlaneFixture {
  readonly director: Director;
  readonly plane: ProxyPlane;
  private readonly clock: CoreClock;

  constructor() {
    this.director = new Director({
      schedulers: SCHEDULERS,
      random: () => 0.5,
      host: {
        isLocal: () => true,
        isBroadcast: () => false,
        interfaceMtu: () => undefined,
        multicastProblem: () => undefined,
      },
      connMax: 1000,
      now: monotonicNow(),
      onExpired: (id) => this.plane.expired(id),
    });
    this.plane = new ProxyPlane({
      director: this.director,
      services: {
        all: () => this.director.services(),
        find: (key) => this.director.config.services.find(key),
      },
      now: monotonicNow,
      log: () => {},
      expireNodest: () => this.director.settings.isOn('expire_nodest_conn'),
    });
    this.clock = new CoreClock({
      nextDeadline: () => this.director.nextDeadline(),
      expire: (now) => this.director.expire(now),
    });
    this.clock.start();
  }

  async stop(): Promise<void> {
    await this.plane.stop(0);
    this.clock.stop();
  }

  /** As the director's host does it. */
  async apply(...commands: Command[]): Promise<void> {
    for (const command of commands) {
      await this.plane.prepare(command);
      this.director.apply(command, monotonicNow());
      await this.plane.reconcile(command);
    }
  }

  /** As restored rules come: whatever the plane thinks of them. */
  async restore(...commands: Command[]): Promise<void> {
    for (const command of commands) this.director.apply(command, monotonicNow());
    await this.plane.reconcile(undefined);
  }

  /** One of the plane's counters. */
  count(name: string): number {
    const value = this.plane.counters()[name];
    if (value === undefined) throw new Error(`no counter ${name}`);
    return value;
  }

  /** Serving state of the first service. */
  state(): string | undefined {
    return this.plane.states()[0]?.state;
  }

  /** Adds a virtual service with one echoing server. */
  async served(): Promise<{ config: ServiceConfig; server: DestConfig }> {
    const real = await tcpServer(echo);
    const config = service(await freePort(VIP));
    const server = dest(real.port);
    await this.apply(addService(config), addDest(config, server));
    return { config, server };
  }
}

/** Gives each test of a file a new plane, and checks after it that nothing was left open. */
export function usePlane(): () => PlaneFixture {
  let fixture: PlaneFixture;
  beforeEach(() => {
    fixture = new PlaneFixture();
  });
  afterEach(async () => {
    await fixture.stop();
    expect(fixture.plane.counters()).toMatchObject({
      tcp_listeners: 0,
      tcp_flows_open: 0,
      udp_listeners: 0,
      udp_sockets_open: 0,
      descriptors_used: 0,
    });
  });
  return () => fixture;
}

export function service(
  port: number,
  overrides: Partial<ServiceConfig> & { vip?: string } = {},
): ServiceConfig {
  const { vip = VIP, ...rest } = overrides;
  const addr = address(vip);
  const netmask = addr.family === 2 ? 0xffffffff : 128;
  const base = { family: addr.family, protocol: PROTOCOL.TCP, addr, port, fwmark: 0, netmask };
  return { ...base, scheduler: 'rr', flags: 0, timeoutSec: 0, pe: '', ...rest };
}

export function dest(port: number, overrides: Partial<DestConfig> & { ip?: string } = {}): DestConfig {
  const { ip = SERVER, ...rest } = overrides;
  const limits = { weight: 1, upperThreshold: 0, lowerThreshold: 0 };
  const tunnel = { tunnelType: 0, tunnelPort: 0, tunnelFlags: 0 };
  return { addr: address(ip), port, method: METHOD.MASQ, ...limits, ...tunnel, ...rest };
}

export const addService = (config: ServiceConfig): Command => ({
  op: 'add-service',
  service: config,
  flagsMask: 0xffffffff,
});
export const addDest = (config: ServiceConfig, server: DestConfig): Command => ({
  op: 'add-dest',
  service: config,
  dest: server,
});
export const deleteDest = (config: ServiceConfig, server: DestConfig): Command => ({
  op: 'delete-dest',
  service: config,
  dest: server,
});
export const setNodest = (value: string): Command => ({
  op: 'set-sysctl',
  name: 'expire_nodest_conn',
  value,
});

/** Listens there as another program. */
export async function occupy(port: number, host = VIP): Promise<void> {
  const other = createServer().listen({ port, host, exclusive: true });
  await once(other, 'listening');
  onTestFinished(() => void other.close());
}
