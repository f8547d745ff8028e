import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  CaptureLab,
  CLIENT,
  CLIENT6,
  DIRECTOR,
  FAR_VIP,
  ICMP,
  SERVER,
  SERVER6,
  TCP,
  UDP,
  VIP,
  VIP6,
  WISH,
} from '../support/capture-lab.ts';
import { captureWays } from '../support/capture-ways.ts';
import type { CapturingDirector } from '../support/capturing-director.ts';
import { address } from '../support/core.ts';
import { packetOf } from '../support/core-packets.ts';
import { lacksPackets } from '../support/network-namespaces.ts';
import { until } from '../support/processes.ts';
import { isMissing } from '../support/programs.ts';

const lab = new CaptureLab();

const skipped = lacksPackets() || isMissing('nft', 'nc', 'socat', 'sysctl', 'ping');

beforeAll(() => (skipped ? undefined : lab.setUp()));
afterAll(() => (skipped ? undefined : lab.tearDown()));

describe.skipIf(skipped).each(skipped ? [] : captureWays())('capture by %s', (way) => {
  let director: CapturingDirector;
  let before: string[];

  beforeEach(async () => {
    before = await lab.networkState();
    director = await lab.startDirector(way);
    await director.capture(WISH);
  });

  afterEach(async () => {
    await director.close();
    expect(await lab.networkState()).toEqual(before);
  });

  test.each([
    { what: 'a local virtual address', vip: VIP, from: 'cli', client: CLIENT, answer: 'director' },
    {
      what: 'a local virtual address of IPv6',
      vip: VIP6,
      from: 'cli',
      client: CLIENT6,
      answer: 'director',
    },
    {
      what: 'a virtual address that is routed on',
      vip: FAR_VIP,
      from: 'cli',
      client: CLIENT,
      answer: 'server',
    },
    {
      what: 'a local virtual address, from the director',
      vip: VIP,
      from: 'dir',
      client: VIP,
      answer: 'director',
    },
    {
      what: 'a virtual address that is routed on, from the director',
      vip: FAR_VIP,
      from: 'dir',
      client: '10.82.0.1',
      answer: 'server',
    },
  ])('takes packets to $what, as they arrived, and they are answered when given back', async (row) => {
    expect(await lab.fetch(row.from, row.vip, 80)).toBe(row.answer);

    const wanted = { src: row.client, dst: row.vip, dport: 80 };
    // SYN, its acknowledgement, the data's.
    await until('all were taken', () => director.seen(wanted).length >= 3);
    const packets = director.seen(wanted);
    for (const each of packets)
      expect(each).toMatchObject({ device: 'uipvs0', ttl: 64, isHeaderSumRight: true });
  });

  test('takes packets with every time to live as they arrived, their checksum right', async () => {
    const ttls = [1, 2, 15, 16, 127, 128, 254];
    for (const ttl of ttls) {
      const options = `setsockopt=0:2:${ttl}`;
      await lab.net.run('cli', ['socat', '-', `UDP4-SENDTO:${VIP}:9,${options}`], 'x');
    }
    // Many of them, so that all carries of the checksum come up.
    await lab.net.run(
      'cli',
      ['socat', '-b1', '-u', 'OPEN:/dev/zero,readbytes=600', `UDP4-SENDTO:${VIP}:9`],
      '',
    );
    await until(
      'all were taken',
      () => director.seen({ src: CLIENT, dst: VIP, protocol: UDP }).length >= 607,
    );

    const packets = director.seen({ src: CLIENT, dst: VIP, protocol: UDP });
    expect(packets.slice(0, ttls.length).map(({ ttl }) => ttl)).toEqual(ttls);
    expect(packets.filter(({ isHeaderSumRight }) => !isHeaderSumRight)).toEqual([]);
    expect(packets.slice(ttls.length).every(({ ttl }) => ttl === 64)).toBe(true);
  });

  test.each([
    { server: SERVER, client: CLIENT },
    { server: SERVER6, client: CLIENT6 },
  ])('takes replies of the server $server to clients', async ({ server, client }) => {
    expect(await lab.fetch('cli', server, 80)).toBe('server');

    const packets = director.seen({ src: server, sport: 80, dst: client });
    expect(packets.length).toBeGreaterThanOrEqual(3);
    for (const { ttl } of packets) expect(ttl).toBe(64);
    expect(director.seen({ src: client })).toEqual([]);
  });

  test('takes replies of a server on the director itself', async () => {
    await director.capture({ virtual: [], servers: [[TCP, '10.82.0.1', 8080]] });

    expect(await lab.fetch('cli', '10.82.0.1', 8080)).toBe('director');
    const replies = { src: '10.82.0.1', sport: 8080, dst: CLIENT };
    await until('the replies', () => director.seen(replies).length >= 3);

    director.packets.length = 0;
    expect(await lab.fetch('dir', '10.82.0.1', 8080)).toBe('director');
    expect(director.seen({ src: '10.82.0.1', sport: 8080, dst: '10.82.0.1' })).not.toEqual([]);
  });

  test('takes ICMP errors about packets to servers, and those sent to virtual addresses', async () => {
    await lab.send('cli', SERVER, 53);
    expect(director.seen({ src: SERVER, dst: CLIENT, protocol: ICMP })).not.toEqual([]);

    await lab.send('dir', CLIENT, 9999, '-s', VIP);
    expect(director.seen({ src: CLIENT, dst: VIP, protocol: ICMP })).not.toEqual([]);
  });

  test('leaves ICMP errors about other packets alone', async () => {
    await lab.send('cli', '10.82.0.1', 9999);
    expect(director.packets).toEqual([]);
  });

  test.each([
    { source: 'an address that is not virtual', options: [] },
    { source: 'a virtual address', options: ['-s', VIP] },
  ])('leaves the director its own connections to servers, from $source', async ({ options }) => {
    expect(await lab.fetch('dir', SERVER, 80, ...options)).toBe('server');
    expect(await lab.fetch('dir', SERVER, 8080, ...options)).toBe('server');
    expect(director.packets).toEqual([]);
  });

  test('leaves other ports and protocols of virtual addresses alone', async () => {
    expect(await lab.fetch('cli', VIP, 8080)).toBe('director');
    expect(await lab.fetch('cli', VIP6, 8080)).toBe('director');
    expect(await lab.fetch('cli', FAR_VIP, 8080)).toBe('server');
    expect(await lab.net.run('cli', ['ping', '-c1', '-W2', VIP])).toMatchObject({ status: 0 });
    expect(director.packets).toEqual([]);
  });

  test('takes later fragments, whose port is not known, and they find their packet when given back', async () => {
    expect(await lab.net.run('cli', ['ping', '-c1', '-W2', '-s', '4000', VIP])).toMatchObject({ status: 0 });
    expect(director.seen({ dst: VIP, protocol: ICMP, isFragment: true })).toHaveLength(2);
  });

  test('takes packets by their firewall mark, on a device that tells it', async () => {
    await lab.net.run(
      'dir',
      ['nft', '-f', '-'],
      `table ip user { chain marks {
      type filter hook prerouting priority mangle
      ip daddr 10.84.0.0/16 meta mark set 7
    }\n}\n`,
    );
    await director.ask('device uipvs-fw7');
    await director.capture({ ...WISH, marks: [7] });

    await lab.send('cli', '10.84.0.9', 5000);
    expect(director.seen({ dst: '10.84.0.9', dport: 5000, device: 'uipvs-fw7', ttl: 64 })).toHaveLength(1);
    expect(await lab.fetch('cli', VIP, 80)).toBe('director');
    expect(director.seen({ dst: VIP, device: 'uipvs0' })).not.toEqual([]);

    await director.capture(WISH);
    await lab.send('cli', '10.84.0.9', 5000);
    expect(director.packets).toEqual([]);
    await lab.net.run('dir', ['nft', 'delete', 'table', 'ip', 'user']);
  });

  test('takes packets out of padded frames as they were sent, but none that is damaged or forged', async () => {
    const from = (text: string): Uint8Array =>
      packetOf({
        protocol: UDP,
        src: address(text),
        sport: 1,
        dst: address(VIP),
        dport: 9,
        payloadLength: 1,
      });
    const [sound, damaged, forged] = [from(CLIENT), from(CLIENT), from(DIRECTOR)];
    damaged[10]! ^= 1;
    await lab.sendRaw(damaged, 60);
    await lab.sendRaw(forged, 60);
    await lab.sendRaw(sound, 60);
    await lab.sendRaw(sound, 0);

    const taken = () => director.seen({ dst: VIP, protocol: UDP });
    await until('the sound ones were taken', () => taken().length >= 2);
    await sleep(100);
    expect(taken().map(({ src, lengthBytes }) => [src, lengthBytes])).toEqual([
      [CLIENT, sound.length],
      [CLIENT, sound.length],
    ]);
  });

  test('captures thousands of services after one change, and none after another', async () => {
    const virtual = Array.from({ length: 5000 }, (_, i) => [TCP, VIP, 20_000 + i] as const);
    await director.capture({ ...WISH, virtual });
    await lab.fetch('cli', VIP, 24_999);
    expect(director.seen({ dst: VIP, dport: 24_999 })).not.toEqual([]);

    await director.capture({ virtual: [], servers: [] });
    expect(await lab.fetch('cli', VIP, 80)).toBe('director');
    expect(director.packets).toEqual([]);
  });

  test('knows the routes of the host, also those that come later', async () => {
    await lab.net.ip('dir', `route add 10.84.0.0/16 via ${SERVER} mtu 1400`);
    await lab.net.ip('dir', 'route add unreachable 10.85.0.0/16');
    const unicast = { type: 1, device: 'd1' };
    expect(await director.ask(`route ${SERVER}`)).toEqual({ ...unicast, source: '10.82.0.1', mtu: 1500 });
    expect(await director.ask(`route ${SERVER6}`)).toEqual({ ...unicast, source: 'fd82::1', mtu: 1500 });
    expect(await director.ask('route 10.84.0.1')).toEqual({
      ...unicast,
      gateway: SERVER,
      source: '10.82.0.1',
      mtu: 1400,
    });
    expect(await director.ask(`route ${VIP}`)).toMatchObject({ type: 2, device: 'lo' });
    expect(await director.ask('route 10.85.0.1')).toEqual({ type: 7, device: '', mtu: 0 });
    expect(await director.ask('route 10.86.0.1')).toEqual({ type: 0, device: '', mtu: 0 });

    await lab.net.ip('dir', `route add 10.86.0.1 via ${CLIENT}`);
    await sleep(100);
    expect(await director.ask('route 10.86.0.1')).toMatchObject({ type: 1, device: 'd0', gateway: CLIENT });
    for (const gone of ['10.84.0.0/16', '10.85.0.0/16', '10.86.0.1'])
      await lab.net.ip('dir', `route del ${gone}`);
  });
});
