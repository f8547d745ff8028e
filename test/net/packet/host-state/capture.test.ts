import { beforeEach, describe, expect, test } from 'vitest';
import { AF_INET, AF_INET6 } from '../../../../src/core/address.ts';
import type { Endpoint } from '../../../../src/net/packet/capture-list.ts';
import { Capture } from '../../../../src/net/packet/host-state/capture.ts';
import type { CaptureWish } from '../../../../src/net/packet/host-state/capture-sets.ts';
import { DeviceSlots } from '../../../../src/net/packet/host-state/device-slots.ts';
import { Footprint } from '../../../../src/net/packet/host-state/footprint.ts';
import { address } from '../../../support/core.ts';
import { FakeHost } from './fake-host.ts';

const TCP = 6;

function endpoint(text: string, port: number): Endpoint {
  const addr = address(text);
  return { family: addr.family, protocol: TCP, addr, port };
}

function wish(...virtual: readonly Endpoint[]): CaptureWish {
  return { virtual, servers: [], marks: [] };
}

const FIRST = wish(endpoint('10.0.0.1', 80));
const SECOND = wish(endpoint('10.0.0.1', 80), endpoint('10.0.0.2', 0));

let host: FakeHost;
let capture: Capture;

beforeEach(() => {
  host = new FakeHost();
  const slots = new DeviceSlots();
  const footprint = new Footprint({ programs: host, slots, devices: { setDevconf: () => {} } });
  capture = new Capture({ programs: host, slots, footprint });
});

const start = (): Promise<string[]> => capture.start([AF_INET], { marksReturns: false, isTracked: false });

describe('a started capture', () => {
  beforeEach(async () => {
    expect(await start()).toEqual([]);
    await capture.apply(wish());
    host.loads.length = 0;
  });

  test('tells nft only what has changed', async () => {
    await capture.apply(FIRST);
    await capture.apply(SECOND);
    await capture.apply(SECOND);
    await capture.apply(FIRST);
    expect(host.loads).toEqual([
      'add element ip uipvs vip { 10.0.0.1 . 6 . 80 }\nadd element ip uipvs vip_addr { 10.0.0.1 }\n',
      'add element ip uipvs vip_any { 10.0.0.2 . 6 }\nadd element ip uipvs vip_addr { 10.0.0.2 }\n',
      'delete element ip uipvs vip_any { 10.0.0.2 . 6 }\ndelete element ip uipvs vip_addr { 10.0.0.2 }\n',
    ]);
  });

  test('brings wishes that come while nft runs into effect together, one nft after the other', async () => {
    const wishes = Array.from({ length: 50 }, (_, i) => wish(endpoint('10.0.0.1', i + 1)));
    const first = capture.apply(wishes[0]!);
    await new Promise((resolve) => setImmediate(resolve));
    await Promise.all([first, ...wishes.slice(1).map((each) => capture.apply(each))]);

    expect(host.loads).toHaveLength(2);
    expect(host.loads[1]).toContain('delete element ip uipvs vip { 10.0.0.1 . 6 . 1 }');
    expect(host.loads[1]).toContain('add element ip uipvs vip { 10.0.0.1 . 6 . 50 }');
    expect(host.busiest).toBe(1);
  });

  test('has no effect once it was ended', async () => {
    const running = capture.apply(FIRST);
    await new Promise((resolve) => setImmediate(resolve));
    expect(host.running).toBe(1);
    await capture.end();
    expect(host.running).toBe(0);
    await running;
    await Promise.all([capture.apply(SECOND), capture.renew()]);
    expect(host.loads).toHaveLength(1);
  });

  test('loads everything anew when a change is refused', async () => {
    host.refuses = (input) => (input.includes('table') ? '' : 'Error: No such file or directory');
    await capture.apply(FIRST);
    expect(host.loads).toHaveLength(1);
    expect(host.loads[0]).toMatch(/^add table ip uipvs\ndelete table ip uipvs\ntable ip uipvs \{/);
    expect(host.loads[0]).toMatch(/}\nadd element ip uipvs vip \{ 10\.0\.0\.1 \. 6 \. 80 }\n/);
  });

  test('says why nothing can be loaded, and has another try at the next wish', async () => {
    host.refuses = () => 'Error: Operation not permitted';
    await expect(capture.apply(FIRST)).rejects.toThrow('nft -f -: Error: Operation not permitted');

    host.refuses = () => '';
    await capture.apply(SECOND);
    expect(host.loads).toHaveLength(1);
    expect(host.loads[0]).toContain('10.0.0.1 . 6 . 80');
  });

  test('loads everything anew when its table is gone, and only then', async () => {
    await capture.apply(FIRST);
    host.loads.length = 0;

    host.tables = 'table ip filter\ntable ip uipvs\n';
    await capture.mend();
    expect(host.loads).toEqual([]);

    host.tables = 'table ip filter\n';
    await capture.mend();
    expect(host.loads).toHaveLength(1);
    expect(host.loads[0]).toContain('10.0.0.1 . 6 . 80');
  });

  test('leaves out what belongs to a family that is not captured', async () => {
    await capture.apply(wish(endpoint('fd00::1', 80)));
    expect(host.loads).toEqual([]);
  });
});

test('deals with packets that have a socket as well as the host can', async () => {
  host.refuses = (input) => (input.includes('socket') ? 'Error: Could not process rule' : '');
  expect(await start()).toEqual([]);
  expect([...capture.ways()]).toEqual([[AF_INET, 'guessed']]);
});

test('a family that the host cannot capture is said in one line, the other one captured', async () => {
  host.refuses = (input) => (input.includes('table ip6 ') ? 'Error: Address family not supported' : '');
  const problems = await capture.start([AF_INET, AF_INET6], { marksReturns: false, isTracked: false });
  expect(problems).toEqual([
    'IPv6 packets cannot be captured: nft -f -: Error: Address family not supported',
  ]);
  expect([...capture.ways()]).toEqual([[AF_INET, 'known']]);
});
