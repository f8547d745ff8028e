import { type Address, parseAddress } from '../../src/core/address.ts';
import { type DestConfig, PROTOCOL, SERVICE_FLAG, type ServiceConfig } from '../../src/core/config.ts';
import { Director, type DirectorOptions } from '../../src/core/director.ts';
import type { ConnId, Flow } from '../../src/core/flow.ts';
import type { Host } from '../../src/core/host.ts';
import { SCHEDULERS } from '../../src/schedulers/registry.ts';

export const ALL_FLAGS = 0xffffffff;

/** Seconds on the clock of the tests, which starts at 0. */
export const sec = (seconds: number): number => seconds * 1000;

/** A machine with one loopback interface and no address but 127.0.0.0/8. */
export const fakeHost: Host = {
  isLocal: (address) => address.words[0] >>> 24 === 127,
  isBroadcast: () => false,
  interfaceMtu: (name) => (name === 'lo' ? 65536 : undefined),
  multicastProblem: () => undefined,
};

/** A small generator with a printable seed (mulberry32). @returns uniform in [0, 1) */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function makeDirector(options: Partial<DirectorOptions> = {}): Director {
  return new Director({
    schedulers: SCHEDULERS,
    random: seededRandom(1),
    host: fakeHost,
    connMax: 10_000,
    now: 0,
    ...options,
  });
}

export function address(text: string): Address {
  const parsed = parseAddress(text);
  if (!parsed) throw new Error(`not an address: ${text}`);
  return parsed;
}

export function serviceConfig(overrides: Partial<ServiceConfig> & { vip?: string } = {}): ServiceConfig {
  const { vip = '10.0.0.1', ...rest } = overrides;
  const addr = address(vip);
  return {
    family: addr.family,
    protocol: PROTOCOL.TCP,
    addr,
    port: 80,
    fwmark: 0,
    scheduler: 'rr',
    flags: 0,
    timeoutSec: 0,
    netmask: addr.family === 2 ? 0xffffffff : 128,
    pe: '',
    ...rest,
  };
}

export const persistent = (timeoutSec: number): Partial<ServiceConfig> => ({
  flags: SERVICE_FLAG.PERSISTENT,
  timeoutSec,
});

/** A masqueraded server at 10.2.0.`n`, or at `ip`. */
export function destConfig(n: number, overrides: Partial<DestConfig> & { ip?: string } = {}): DestConfig {
  const { ip = `10.2.0.${n}`, ...rest } = overrides;
  return {
    addr: address(ip),
    port: 8080,
    weight: 1,
    method: 0,
    upperThreshold: 0,
    lowerThreshold: 0,
    tunnelType: 0,
    tunnelPort: 0,
    tunnelFlags: 0,
    ...rest,
  };
}

/** A flow from client 10.1.x.y:`cport` to the service. */
export function flowTo(service: ServiceConfig, cport: number, client = '10.1.0.2'): Flow {
  return {
    protocol: service.protocol,
    caddr: address(service.family === 2 ? client : `fd00:1::${client.split('.').at(-1)}`),
    cport,
    vaddr: service.addr,
    vport: service.port,
    fwmark: 0,
  };
}

/** The last number of the server's address that an entry goes to. */
export function serverOf(director: Director, id: ConnId): number {
  return director.target(id).daddr.words[0] & 255;
}
