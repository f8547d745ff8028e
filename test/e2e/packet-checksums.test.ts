import { createHash, randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lacksPackets } from '../support/network-namespaces.ts';
import { BIG_BYTES, CLIENT, type Host, PacketLab, SERVER, SERVERS, VIP } from '../support/packet-lab.ts';
import { endProcess, until } from '../support/processes.ts';
import { isMissing } from '../support/programs.ts';
import { lacksTier } from '../support/uring.ts';

const UIPVS = fileURLToPath(new URL('../../bin/uipvs', import.meta.url));
const SUM_PORT = 5001;
const COUNTERS = [
  'TcpInCsumErrors',
  'TcpExtTCPInvalid',
  'UdpInCsumErrors',
  'Udp6InCsumErrors',
  'IcmpInCsumErrors',
  'Icmp6InCsumErrors',
];
const HOSTS: readonly Host[] = ['cli', 'dir', 'rs1', 'rs2'];

const lab = new PacketLab();
const { net } = lab;
const skipped =
  lacksPackets() || isMissing('nft', 'nginx', 'curl', 'socat', 'nc', 'md5sum', 'ethtool', 'nstat');

/** Devices that leave checksums and cutting to nobody: who gets their packets finds them finished, and looks. */
const FINISHING = {
  'at client and servers': ['cli c0', 'cli c1', 'rs1 s0', 'rs2 s0'],
  'at the director': ['dir d0', 'dir d1'],
  everywhere: ['cli c0', 'cli c1', 'rs1 s0', 'rs2 s0', 'dir d0', 'dir d1'],
} as const;

async function setOffloads(devices: readonly string[], value: 'on' | 'off'): Promise<void> {
  for (const each of devices) {
    const [host, device] = each.split(' ') as [Host, string];
    const { status, stderr } = await lab.run(host, `ethtool -K ${device} tx ${value}`);
    if (status !== 0) throw new Error(stderr);
  }
}

async function upload(vip: string): Promise<boolean> {
  const data = randomBytes(300_000).toString('base64');
  const { stdout } = await net.run('cli', ['nc', '-N', '-w', '10', vip, String(SUM_PORT)], data);
  return stdout === `${createHash('md5').update(data).digest('hex')}  -\n`;
}

/** Sends datagrams of several sizes that come back. @returns whether all did */
async function echoes(vip: string): Promise<boolean> {
  const isV6 = vip.includes(':');
  for (const size of [1, 2, 31, 1000, 1400, 3001]) {
    const data = 'd'.repeat(size);
    const target = isV6 ? `UDP6:[${vip}]:7000` : `UDP4:${vip}:7000`;
    const { stdout } = await net.run('cli', ['socat', '-b9000', '-t0.3', '-T1', '-', target], data);
    if (stdout !== data) return false;
  }
  return true;
}

async function errorsOf(host: Host): Promise<Record<string, number>> {
  const { stdout } = await lab.run(host, `nstat -asz ${COUNTERS.join(' ')}`);
  const found = [...stdout.matchAll(/^(\w+InCsumErrors)\s+(\d+)/gm)];
  return Object.fromEntries(found.map(([, name, value]) => [name, Number(value)]));
}

describe.skipIf(skipped)('checksums', () => {
  beforeAll(async () => {
    await lab.build();
    await lab.startWeb();
    for (const name of SERVERS) {
      const start = (...command: string[]) => lab.processes.start(net.inside(name, ...command));
      start('socat', `TCP6-LISTEN:${SUM_PORT},fork,reuseaddr`, 'SYSTEM:md5sum');
      for (const version of ['4', '6']) {
        const only = version === '6' ? ',ipv6only' : '';
        start('socat', '-b9000', `UDP${version}-LISTEN:7000,fork,reuseaddr${only}`, 'EXEC:cat');
      }
    }
  });
  afterAll(() => lab.remove());

  for (const io of ['sync', 'uring'] as const) {
    describe.skipIf(skipped || lacksTier(io))(`with --io ${io}`, () => {
      beforeAll(async () => {
        await lab.start('--plane', 'packet', '--fresh', '--io', io);
        expect((await lab.director.status()).director.io).toBe(`${io} (asked for), by koffi`);
        for (const [vip, family] of [
          [VIP.own, 'v4'],
          [`[${VIP.own6}]`, 'v6'],
        ] as const) {
          const server = family === 'v4' ? SERVER.rs1.v4 : `[${SERVER.rs1.v6}]`;
          await lab.ipvsadm(
            `-A -t ${vip}:80`,
            `-a -t ${vip}:80 -r ${server}:8080 -m`,
            `-A -t ${vip}:${SUM_PORT}`,
            `-a -t ${vip}:${SUM_PORT} -r ${server}:${SUM_PORT} -m`,
            `-A -u ${vip}:7000`,
            `-a -u ${vip}:7000 -r ${server}:7000 -m`,
          );
        }
      });
      afterAll(() => lab.director.kill('SIGTERM'));

      test.each(Object.entries(FINISHING))('are right where they are made %s', async (_where, devices) => {
        const before = await Promise.all(HOSTS.map(errorsOf));
        expect(Object.keys(before[0]!).length).toBeGreaterThanOrEqual(3);
        await setOffloads(devices, 'off');
        for (const vip of [VIP.own, VIP.own6]) {
          const url = vip.includes(':') ? `[${vip}]` : vip;
          expect(await lab.fetch(`${url}:80/big`, 'cli', '-o', '/dev/null', '-w', '%{size_download}')).toBe(
            String(BIG_BYTES),
          );
          expect(await upload(vip)).toBe(true);
          expect(await echoes(vip)).toBe(true);
          // An ICMP error, translated.
          expect(await lab.fetch(`${url}:81/`)).toMatch(/^\[7: /);
        }
        await setOffloads(devices, 'on');
        expect(await Promise.all(HOSTS.map(errorsOf))).toEqual(before);
      });
    });
  }

  test('are right in what is sent directly and through tunnels', async () => {
    for (const name of SERVERS) {
      await net.sysctl(name, 'net.ipv4.conf.all.arp_ignore=1', 'net.ipv4.conf.all.arp_announce=2');
      await net.ip(name, `addr add ${VIP.own}/32 dev lo`);
      await net.ip(name, `route add 10.90.0.0/24 via ${CLIENT.lan}`);
    }
    const decap = lab.processes.start(
      net.inside('rs1', process.execPath, UIPVS, 'decap', '--tunnel', 'ipip,gre,gue'),
    );
    await until('rs1 unwraps', async () => (await lab.run('rs1', 'ip link show decap0 up')).status === 0);
    await lab.start('--plane', 'packet', '--fresh');
    await setOffloads(FINISHING.everywhere, 'off');
    const before = await Promise.all(HOSTS.map(errorsOf));
    for (const method of [
      '-g',
      '-i',
      '-i --tun-type gre --tun-csum',
      '-i --tun-type gue --tun-port 6080 --tun-csum',
      '-i --tun-type gue --tun-port 6080 --tun-remcsum',
    ]) {
      await lab.ipvsadm(
        '-C',
        `-A -t ${VIP.own}:${SUM_PORT}`,
        `-a -t ${VIP.own}:${SUM_PORT} -r ${SERVER.rs1.v4}:${SUM_PORT} ${method}`,
      );
      expect(await upload(VIP.own)).toBe(true);
      // With senders that leave it to the director.
      await setOffloads(FINISHING['at client and servers'], 'on');
      expect(await upload(VIP.own)).toBe(true);
      await setOffloads(FINISHING['at client and servers'], 'off');
    }
    expect(await Promise.all(HOSTS.map(errorsOf))).toEqual(before);
    await endProcess(decap, 'SIGTERM');
  });
});
