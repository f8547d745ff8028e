import { expect, test } from 'vitest';
import { Routes } from '../../../../src/net/packet/host-state/routes.ts';
import { ROUTE_TYPE } from '../../../../src/net/packet/host-state/rtnetlink.ts';
import { address } from '../../../support/core.ts';

const SERVER = address('10.82.0.2');
const SERVER6 = address('fd82::2');
const GET_LINK = 18;

/** A kernel with one link of index 3; answers a route to IPv4 or IPv6 through it, or with an errno. */
class Kernel {
  mtu = 1500;
  errno = 0;
  type: number = ROUTE_TYPE.UNICAST;
  questions = 0;

  ask(request: Uint8Array): Uint8Array {
    this.questions++;
    if (request[4] === GET_LINK) return this.link();
    return this.errno === 0 ? this.route(request[16]!) : refusal(this.errno);
  }

  private route(family: number): Uint8Array {
    const bytes = new Uint8Array(28 + 8);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, bytes.length, true);
    view.setUint16(4, 24, true);
    bytes[16] = family;
    bytes[23] = this.type;
    bytes.set([8, 0, 4, 0, 3], 28);
    return bytes;
  }

  private link(): Uint8Array {
    const bytes = new Uint8Array(32 + 8 + 8);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, bytes.length, true);
    view.setUint16(4, 16, true);
    bytes[20] = 3;
    bytes.set([7, 0, 3, 0, 0x64, 0x31], 32);
    bytes.set([8, 0, 4, 0], 40);
    view.setUint32(44, this.mtu, true);
    return bytes;
  }
}

function refusal(errno: number): Uint8Array {
  const bytes = new Uint8Array(20);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, 2, true);
  view.setInt32(16, -errno, true);
  return bytes;
}

function setUp() {
  const kernel = new Kernel();
  const clock = { now: 0 };
  const routes = new Routes(
    kernel,
    () => 1280,
    () => clock.now,
  );
  return { kernel, clock, routes };
}

test('asks the kernel once a second for an address', () => {
  const { kernel, clock, routes } = setUp();

  const first = routes.find(SERVER);
  clock.now = 999;
  expect(routes.find(SERVER)).toBe(first);
  expect(kernel.questions).toBe(2);

  clock.now = 1000;
  kernel.errno = 113;
  expect(routes.find(SERVER).type).toBe(ROUTE_TYPE.UNREACHABLE);
  expect(kernel.questions).toBe(3);
});

test('asks again after a change, also for links, and says that there was one', () => {
  const { kernel, routes } = setUp();
  const { generation } = routes;
  expect(routes.find(SERVER)).toMatchObject({ device: 'd1', oif: 3, mtu: 1500 });

  kernel.mtu = 9000;
  routes.forget();

  expect(routes.find(SERVER)).toMatchObject({ mtu: 9000 });
  expect(routes.generation).not.toBe(generation);
});

test('the MTU of IPv6 is what the device has for IPv6', () => {
  const { routes } = setUp();
  expect([routes.find(SERVER).mtu, routes.find(SERVER6).mtu]).toEqual([1500, 1280]);
});

test.each([
  { errno: 101, type: ROUTE_TYPE.NONE },
  { errno: 113, type: ROUTE_TYPE.UNREACHABLE },
  { errno: 13, type: ROUTE_TYPE.PROHIBIT },
  { errno: 22, type: ROUTE_TYPE.BLACKHOLE },
])('errno $errno is a route of type $type to nowhere', ({ errno, type }) => {
  const { kernel, routes } = setUp();
  kernel.errno = errno;
  expect(routes.find(SERVER)).toEqual({
    type,
    oif: 0,
    device: '',
    gateway: undefined,
    source: undefined,
    mtu: 0,
  });
});

test('what the kernel delivers to itself is local', () => {
  const { kernel, routes } = setUp();
  expect(routes.isLocal(SERVER)).toBe(false);
  kernel.type = ROUTE_TYPE.LOCAL;
  routes.forget();
  expect(routes.isLocal(SERVER)).toBe(true);
});
