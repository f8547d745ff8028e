import { beforeEach, expect, test } from 'vitest';
import { DeviceSlots } from '../../../../src/net/packet/host-state/device-slots.ts';
import { Footprint, sweep } from '../../../../src/net/packet/host-state/footprint.ts';
import { FakeHost } from './fake-host.ts';

let host: FakeHost;
let footprint: Footprint;
const settings: unknown[] = [];

beforeEach(() => {
  host = new FakeHost();
  settings.length = 0;
  const devices = { setDevconf: (...args: unknown[]) => settings.push(args) };
  footprint = new Footprint({ programs: host, slots: new DeviceSlots(), devices });
});

test('sets a device up and lists all of it', async () => {
  await footprint.addDevice('uipvs0', { hasIpv6: true, isStrict: true });

  expect(settings).toEqual([['uipvs0', { rp_filter: 0, accept_local: 1, forwarding: 1, src_valid_mark: 1 }]]);
  expect(host.changes).toEqual([
    '-4 link set dev uipvs0 addrgenmode none\nlink set dev uipvs0 up\n' +
      'address replace 169.254.117.105/32 dev uipvs0 scope link\n' +
      'route replace default dev uipvs0 table 1969815552\n',
    '-6 route append fe80::/64 dev uipvs0\nroute replace default dev uipvs0 table 1969815552\n',
    expect.stringMatching(/^-4 rule add pref 0 fwmark 0x75690000 lookup 1969815552 protocol kernel\n/),
    expect.stringMatching(/^-6 rule add pref 0 fwmark 0x75690000 lookup 1969815552 protocol kernel\n/),
  ]);
  expect(footprint.list()).toEqual([
    'device uipvs0',
    'address 169.254.117.105/32 on uipvs0',
    'setting net.ipv4.conf.uipvs0.rp_filter=0',
    'setting net.ipv4.conf.uipvs0.accept_local=1',
    'setting net.ipv4.conf.uipvs0.forwarding=1',
    'setting net.ipv4.conf.uipvs0.src_valid_mark=1',
    'route fe80::/64 dev uipvs0 (IPv6)',
    'route default dev uipvs0 table 1969815552 (IPv4)',
    'rule pref 0 fwmark 0x75690000 lookup 1969815552 (IPv4)',
    'rule pref 0 fwmark 0x75698000 iif uipvs0 goto 1 (IPv4)',
    'rule pref 0 fwmark 0x75698000 lookup 1969815552 (IPv4)',
    'route default dev uipvs0 table 1969815552 (IPv6)',
    'rule pref 0 fwmark 0x75690000 lookup 1969815552 (IPv6)',
    'rule pref 1 lookup local (IPv4)',
  ]);
});

test('brings devices up again that others have taken down, and waits until one is set up', async () => {
  const options = { hasIpv6: false, isStrict: false };
  await footprint.addDevice('uipvs0', options);
  host.changes.length = 0;
  await footprint.mendDevices(() => false);
  expect(host.changes).toEqual([]);
  await footprint.mendDevices(() => true);
  expect(host.changes).toEqual([expect.stringContaining('link set dev uipvs0 up\n')]);
  host.changes.length = 0;

  const adding = footprint.addDevice('uipvs-fw1', options);
  const asked: string[] = [];
  await footprint.mendDevices((device) => asked.push(device) < 0);
  expect(host.changes).toEqual([
    expect.stringContaining('link set dev uipvs-fw1 up\n'),
    expect.stringContaining('rule add'),
  ]);
  await adding;
  expect(asked).toEqual(['uipvs0', 'uipvs-fw1']);
  await footprint.removeDevice('uipvs0');
  await footprint.mendDevices((device) => asked.push(device) < 0);
  expect(asked).toEqual(['uipvs0', 'uipvs-fw1', 'uipvs-fw1']);
});

test('a device that was removed is no longer listed, and its number free', async () => {
  for (const device of ['uipvs0', 'uipvs-fw1']) {
    await footprint.addDevice(device, { hasIpv6: false, isStrict: false });
  }
  await footprint.removeDevice('uipvs-fw1');
  expect(footprint.list().join('\n')).not.toContain('fw1');

  await footprint.addDevice('uipvs-fw2', { hasIpv6: false, isStrict: false });
  expect(footprint.list()).toContain('rule pref 0 fwmark 0x75690001 lookup 1969815553 (IPv4)');
});

test('sweeps up what is there and says it; nothing where there is nothing', async () => {
  expect(await sweep(host)).toEqual([]);
  expect([...host.loads, ...host.changes]).toEqual([]);

  host.tables = 'table ip uipvs\ntable inet uipvs\n';
  host.rules['-4'].unshift({ priority: 0, src: 'all', fwmark: '0x75690003', table: '1969815555' });
  expect(await sweep(host)).toEqual([
    'nft table ip uipvs',
    'rule pref 0 fwmark 0x75690003 lookup 1969815555 (IPv4)',
  ]);
  expect(host.loads).toEqual(['add table ip uipvs\ndelete table ip uipvs\n']);
  expect(host.changes).toEqual(['-4 rule del pref 0 fwmark 0x75690003 lookup 1969815555\n']);
});
