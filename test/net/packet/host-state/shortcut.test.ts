import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { AF_INET, AF_INET6 } from '../../../../src/core/address.ts';
import { DeviceError } from '../../../../src/net/device-error.ts';
import type { CaptureWish } from '../../../../src/net/packet/host-state/capture-sets.ts';
import type { LinkAnswer } from '../../../../src/net/packet/host-state/rtnetlink.ts';
import {
  type RedirectPort,
  Shortcut,
  type ShortcutOptions,
} from '../../../../src/net/packet/host-state/shortcut.ts';
import type { CaptureEntries } from '../../../../src/net/packet/tcx/capture-map.ts';
import { address } from '../../../support/core.ts';
import { FakeHost } from './fake-host.ts';

const MAIN = link(9, 'uipvs0', { layer: 0xfffe });
const WISH: CaptureWish = {
  virtual: [{ family: AF_INET, protocol: 6, addr: address('192.0.2.1'), port: 80 }],
  servers: [],
  marks: [],
};
const FIREWALL =
  'table inet filter {\n\tchain forward {\n\t\ttype filter hook forward priority 0; policy accept;\n';

function link(index: number, name: string, others: Partial<LinkAnswer> = {}): LinkAnswer {
  return { index, name, mtu: 1500, isUp: true, layer: 1, master: 0, ...others };
}

/** A program that is loaded and attached to nothing but a list. */
class FakeRedirect implements RedirectPort {
  readonly target: number;
  readonly on = new Set<number>();
  entries: CaptureEntries = new Map();
  isClosed = false;

  constructor(target: number) {
    this.target = target;
  }

  set(entries: CaptureEntries): number {
    this.entries = entries;
    return 0;
  }

  attach(index: number): void {
    if (index === 66) throw new DeviceError('attach a tcx program', -16);
    this.on.add(index);
  }

  detach(index: number): void {
    this.on.delete(index);
  }

  devices(): readonly number[] {
    return [...this.on];
  }

  close(): void {
    this.isClosed = true;
  }
}

let host: FakeHost;
let links: LinkAnswer[];
let opened: FakeRedirect[];
let refusal: DeviceError | undefined;
let shortcut: Shortcut;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  host = new FakeHost();
  links = [link(1, 'lo', { layer: 772 }), link(2, 'd0'), link(3, 'd1'), MAIN];
  opened = [];
  refusal = undefined;
});

afterEach(() => {
  shortcut.close();
  vi.useRealTimers();
});

async function start(options: Partial<ShortcutOptions> = {}): Promise<void> {
  shortcut = new Shortcut({
    choice: 'auto',
    isTracked: false,
    programs: host,
    kernel: { links: () => links },
    families: () => [AF_INET, AF_INET6],
    log: () => {},
    open: (device) => {
      if (refusal) throw refusal;
      const redirect = new FakeRedirect(device);
      opened.push(redirect);
      return redirect;
    },
    isStrict: (device) => device.startsWith('strict'),
    ...options,
  });
  await shortcut.start();
}

/** News of links as the kernel tells them. */
function news(type: number, index: number): Uint8Array {
  const bytes = Buffer.alloc(32);
  bytes.writeUInt32LE(bytes.length, 0);
  bytes.writeUInt16LE(type, 4);
  bytes.writeInt32LE(index, 20);
  return bytes;
}
const [NEW_LINK, LINK_GONE] = [16, 17];

describe('with nothing against it', () => {
  beforeEach(() => start());

  test('the program is on the devices of the host, and hands packets to the main one', () => {
    expect(opened[0]!.target).toBe(9);
    expect(shortcut.list()).toEqual(['tcx program on d0', 'tcx program on d1']);
    expect(shortcut.way).toBe('tcx and nft (BPF works here)');
  });

  test('the program gets what is wished, but nothing of a family with firewall marks', () => {
    const nothing = opened[0]!.entries.size;
    shortcut.apply(WISH);
    expect(opened[0]!.entries.size).toBe(nothing + 2);
    shortcut.apply({ ...WISH, marks: [{ family: AF_INET, fwmark: 1 }] });
    expect(opened[0]!.entries.size).toBe(nothing);
    expect(shortcut.way).toBe(
      'tcx and nft (BPF works here; nft alone for IPv4: there are services of firewall marks)',
    );
  });

  test('devices are followed, those that are none of its business left out', () => {
    links = [
      link(3, 'd1', { isUp: false }),
      link(4, 'd2'),
      link(5, 'port', { master: 4 }),
      link(6, 'strict0'),
      link(7, 'wg0', { layer: 0xfffe }),
      link(66, 'busy0'),
      MAIN,
    ];
    shortcut.notice(news(NEW_LINK, 4));
    shortcut.notice(news(NEW_LINK, 5));
    expect([...opened[0]!.on]).toEqual([2, 3]);
    vi.runAllTimers();
    expect([...opened[0]!.on]).toEqual([4]);
    expect(shortcut.list()).toEqual(['tcx program on d2']);
    expect(shortcut.way).toBe(
      'tcx and nft (BPF works here; nft alone on strict0: it has rp_filter 1; nft alone on busy0: attach a tcx program: EBUSY)',
    );
  });

  test('a device that goes is left at once', () => {
    shortcut.notice(news(LINK_GONE, 3));
    expect([...opened[0]!.on]).toEqual([2]);
  });

  test('it ends with the main device, and begins again with a new one', async () => {
    shortcut.apply(WISH);
    shortcut.notice(news(LINK_GONE, MAIN.index));
    expect(opened[0]!.isClosed).toBe(true);
    expect(shortcut.way).toBe('nft (the main device is gone)');

    links = [link(2, 'd0'), link(10, 'uipvs0')];
    await shortcut.reconsider();
    expect(opened[1]).toMatchObject({ target: 10, on: new Set([2]) });
    expect(opened[1]!.entries.size).toBeGreaterThan(0);
  });

  test('it ends when the main device turns out to be gone', () => {
    links = [link(2, 'd0')];
    shortcut.notice(undefined);
    vi.runAllTimers();
    expect(opened[0]!.isClosed).toBe(true);
    expect(shortcut.way).toBe('nft (the main device is gone)');
  });

  test('it ends when a firewall comes that would not see packets, and returns when that is gone', async () => {
    host.tables = FIREWALL;
    await shortcut.reconsider();
    expect(opened[0]!.isClosed).toBe(true);
    expect(shortcut.way).toBe('nft (tcx would lead packets past nft chain inet filter forward)');
    expect(shortcut.list()).toEqual([]);
    host.tables = '';
    await shortcut.reconsider();
    expect(shortcut.way).toBe('tcx and nft (BPF works here)');
  });
});

describe('with something against it', () => {
  test.each<[string, Partial<ShortcutOptions>, string]>([
    ['nft was asked for', { choice: 'nft' }, 'nft (asked for)'],
    ['connections are tracked', { isTracked: true }, 'nft (net.ipv4.vs.conntrack is 1)'],
  ])('there is none where %s', async (_, options, way) => {
    await start(options);
    expect(shortcut.way).toBe(way);
    expect(opened).toEqual([]);
  });

  test('the reason is told where programs cannot be loaded', async () => {
    refusal = new DeviceError('make a BPF map', -1, 'needs CAP_BPF');
    await start();
    expect(shortcut.way).toBe('nft (no tcx: make a BPF map: EPERM; needs CAP_BPF)');
  });

  test('who asks for it is told why it cannot be', async () => {
    refusal = new DeviceError('make a BPF map', -1, 'needs CAP_BPF');
    await expect(start({ choice: 'tcx' })).rejects.toThrow('capture by tcx: make a BPF map: EPERM');
    await expect(start({ choice: 'tcx', isTracked: true })).rejects.toThrow('net.ipv4.vs.conntrack is 1');
  });

  test('who asks for it gets it, whatever firewall there is', async () => {
    host.tables = FIREWALL;
    await start({ choice: 'tcx' });
    expect(shortcut.way).toBe('tcx and nft (asked for)');
  });
});
