import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { AF_INET, parseAddress, sameAddress } from '../../src/core/address.ts';
import { METHOD } from '../../src/core/config.ts';
import { IpvsError } from '../../src/core/errors.ts';
import type { Host } from '../../src/core/host.ts';
import { ALL_FLAGS, destConfig, makeDirector, serviceConfig } from '../support/core.ts';

interface Recorded {
  /** Addresses of the machine, each with the length of its network's prefix. */
  readonly own: readonly string[];
  /** Whether the kernel accepts a server of that address. */
  readonly servers: Readonly<Record<string, { readonly masquerading: boolean; readonly tunnel: boolean }>>;
}

const RECORDED = JSON.parse(
  readFileSync(new URL('../golden/destinations.json', import.meta.url), 'utf8'),
) as Recorded;

test.each(Object.entries(RECORDED.servers))('%s as a server is judged as the kernel does', (ip, accepted) => {
  expect({ masquerading: accepts(ip, METHOD.MASQ), tunnel: accepts(ip, METHOD.TUNNEL) }).toEqual(accepted);
});

function accepts(ip: string, method: number): boolean {
  const director = makeDirector({ host: recordedHost });
  const service = serviceConfig({ vip: ip.includes(':') ? '2001:db8:9::9' : '10.9.9.9' });
  director.apply({ op: 'add-service', service, flagsMask: ALL_FLAGS }, 0);
  try {
    director.apply({ op: 'add-dest', service, dest: destConfig(1, { ip, method }) }, 0);
    return true;
  } catch (error) {
    if (error instanceof IpvsError && error.errno === 'EINVAL') return false;
    throw error;
  }
}

const networks = RECORDED.own.map((text) => {
  const [ip, length] = text.split('/');
  return { own: parseAddress(ip!)!, mask: -1 << (32 - Number(length)), length: Number(length) };
});

/** The machine of the recording. */
const recordedHost: Host = {
  isLocal: (asked) =>
    (asked.family === AF_INET && asked.words[0] >>> 24 === 127) ||
    networks.some(({ own }) => sameAddress(own, asked)),
  isBroadcast: (asked) =>
    asked.family === AF_INET &&
    networks.some(
      ({ own, mask, length }) =>
        own.family === AF_INET && length < 31 && asked.words[0] === (own.words[0] | ~mask),
    ),
  interfaceMtu: () => undefined,
  multicastProblem: () => undefined,
};
