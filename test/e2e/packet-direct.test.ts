import { createHash, randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { lacksPackets } from '../support/network-namespaces.ts';
import { BIG_BYTES, CLIENT, DIRECTOR, PacketLab, SERVER, SERVERS, VIP } from '../support/packet-lab.ts';
import { endProcess, Processes, until } from '../support/processes.ts';
import { isMissing } from '../support/programs.ts';

const UIPVS = fileURLToPath(new URL('../../bin/uipvs', import.meta.url));
const LAN_VIP6 = 'fd91::100';
const SUM_PORT = 5001;

const lab = new PacketLab();
const { net } = lab;

const skipped =
  lacksPackets() ||
  isMissing('nft', 'nginx', 'curl', 'socat', 'nc', 'md5sum', 'sysctl', 'ping', 'traceroute');

/** Has servers take packets for the virtual addresses, and answer clients past the director. */
async function prepareServers(): Promise<void> {
  for (const name of SERVERS) {
    await net.sysctl(name, 'net.ipv4.conf.all.arp_ignore=1', 'net.ipv4.conf.all.arp_announce=2');
    for (const vip of [VIP.own, VIP.lan]) await net.ip(name, `addr add ${vip}/32 dev lo`);
    for (const vip of [VIP.own6, LAN_VIP6]) await net.ip(name, `addr add ${vip}/128 dev lo`);
    await net.ip(name, `route add 10.90.0.0/24 via ${CLIENT.lan}`);
    await net.ip(name, 'route add fd90::/64 via fd91::fe');
    const sums = ['socat', `TCP6-LISTEN:${SUM_PORT},fork,reuseaddr`, 'SYSTEM:md5sum'];
    lab.processes.start(net.inside(name, ...sums));
  }
  for (const vip of [`${VIP.lan}/32`, `${LAN_VIP6}/128`]) await net.ip('dir', `addr add ${vip} dev d1`);
}

/** Sends data to a service whose servers answer with its sum. @returns whether it was the right one */
async function upload(vip: string): Promise<boolean> {
  const data = randomBytes(1_500_000).toString('base64');
  const { stdout } = await net.run('cli', ['nc', '-N', '-w', '10', vip, String(SUM_PORT)], data);
  return stdout === `${createHash('md5').update(data).digest('hex')}  -\n`;
}

/** A service of both servers, on a port of theirs. */
function service(vip: string, port: number, servers: 'v4' | 'v6', method: string): Promise<void> {
  const end = vip.includes(':') ? `[${vip}]:${port}` : `${vip}:${port}`;
  const server = (addr: string): string => (servers === 'v6' ? `[${addr}]:${port}` : `${addr}:${port}`);
  return lab.ipvsadm(
    `-A -t ${end} -s rr`,
    ...SERVERS.map((name) => `-a -t ${end} -r ${server(SERVER[name][servers])} ${method}`),
  );
}

const inUrl = (vip: string): string => (vip.includes(':') ? `[${vip}]` : vip);

describe.skipIf(skipped)('servers that answer clients themselves', () => {
  beforeAll(async () => {
    await lab.build();
    await lab.startWeb();
    await prepareServers();
    await lab.start('--plane', 'packet');
  });
  afterEach(async () => {
    await lab.director.ok('-C');
    await net.ip('cli', 'route flush cache');
    await net.ip('cli', '-6 route flush cache');
  });
  afterAll(() => lab.remove());

  describe('by direct routing', () => {
    test.each([
      { what: 'on another cable', vip: VIP.own, client: CLIENT.v4 },
      { what: 'on another cable, over IPv6', vip: VIP.own6, client: CLIENT.v6 },
      { what: 'beside the servers', vip: VIP.lan, client: CLIENT.lan },
      { what: 'beside the servers, over IPv6', vip: LAN_VIP6, client: 'fd91::fe' },
    ])('serve a client $what in turn, and see it', async ({ vip, client }) => {
      await service(vip, 80, vip.includes(':') ? 'v6' : 'v4', '-g');
      await net.ip('cli', 'neigh flush dev c1');
      const answers = await lab.fetchMany(4, `${inUrl(vip)}:80/`);
      const said = (name: string): string => `${name} ${client} ${vip}:80`;
      expect(answers).toEqual([said('rs2'), said('rs1'), said('rs2'), said('rs1')]);
      const { counters } = await lab.director.status();
      expect(counters['packets_to_clients']).toBe(0);
      expect(await lab.director.ok('-Lcn')).toContain('FIN_WAIT');
    });

    test('take and send large amounts', async () => {
      await service(VIP.own, 80, 'v4', '-g');
      await service(VIP.own, SUM_PORT, 'v4', '-g');
      const size = await lab.fetch(`${VIP.own}:80/big`, 'cli', '-o', '/dev/null', '-w', '%{size_download}');
      expect(size).toBe(String(BIG_BYTES));
      expect(await upload(VIP.own)).toBe(true);
    });

    test('serve a client on the director', async () => {
      for (const name of SERVERS) await net.ip(name, `addr add ${VIP.routed}/32 dev lo`);
      await net.ip('dir', `route add ${VIP.routed} via ${SERVER.rs1.v4}`);
      await service(VIP.routed, 80, 'v4', '-g');
      const answers = await lab.fetchMany(2, `${VIP.routed}:80/`, 'dir');
      const said = (name: string): string => `${name} ${DIRECTOR.lan} ${VIP.routed}:80`;
      expect(answers).toEqual([said('rs2'), said('rs1')]);
      await net.ip('dir', `route del ${VIP.routed}`);
    });

    test.each([
      { what: 'the virtual address', server: `${VIP.own}:90` },
      { what: 'loopback', server: '127.0.0.1:90' },
    ])('may be the director itself, at $what', async ({ server }) => {
      const says = ['socat', 'TCP-LISTEN:90,fork,reuseaddr', 'SYSTEM:echo director $SOCAT_PEERADDR'];
      const listener = lab.processes.start(net.inside('dir', ...says));
      await lab.ipvsadm(`-A -t ${VIP.own}:90 -s rr`, `-a -t ${VIP.own}:90 -r ${server} -g`);
      await until('the director answers', async () => {
        const { stdout } = await lab.run('cli', `nc -w 2 ${VIP.own} 90`);
        return stdout === `director ${CLIENT.v4}\n`;
      });
      expect(await lab.director.ok('-Lcn')).toMatch(new RegExp(`(TIME_WAIT|CLOSE) .* ${server}`));
      await endProcess(listener, 'SIGTERM');
    });

    test('a client is told of a server that cannot be reached', async () => {
      await net.ip('dir', 'route add unreachable 10.92.0.0/24');
      await lab.ipvsadm(`-A -t ${VIP.own}:80`, `-a -t ${VIP.own}:80 -r 10.92.0.1 -g`);
      expect(await lab.fetch(`${VIP.own}:80/`)).toMatch(/^\[7: /);
      const { counters } = await lab.director.status();
      expect(counters['dropped_no_route']).toBeGreaterThan(0);
      await net.ip('dir', 'route del unreachable 10.92.0.0/24');
    });
  });

  describe('through tunnels', () => {
    const decaps = new Processes();
    beforeAll(async () => {
      for (const name of SERVERS) {
        decaps.start(net.inside(name, process.execPath, UIPVS, 'decap', '--tunnel', 'ipip,gre,gue'));
        await until(`${name} unwraps`, async () => {
          const { status } = await lab.run(name, 'ip link show decap0 up');
          return status === 0;
        });
      }
    });
    beforeEach(() => net.ip('cli', 'neigh flush dev c1'));
    afterAll(() => decaps.end());

    const forms = [
      { form: 'ipip', options: '' },
      { form: 'gre', options: ' --tun-type gre' },
      { form: 'gre with checksums', options: ' --tun-type gre --tun-csum' },
      { form: 'gue', options: ' --tun-type gue --tun-port 6080 --tun-nocsum' },
      { form: 'gue with checksums', options: ' --tun-type gue --tun-port 6080 --tun-csum' },
      { form: 'gue with remote checksums', options: ' --tun-type gue --tun-port 6080 --tun-remcsum' },
    ];
    const families = [
      { inner: 'v4', outer: 'v4', vip: VIP.own },
      { inner: 'v6', outer: 'v6', vip: VIP.own6 },
      { inner: 'v4', outer: 'v6', vip: VIP.own },
      { inner: 'v6', outer: 'v4', vip: VIP.own6 },
    ] as const;
    const cases = forms.flatMap(({ form, options }, i) =>
      (i === 0 ? families : families.slice(0, 2)).map((each) => ({ form, options, ...each })),
    );

    test.each(cases)('$form, $inner in $outer: small and large', async ({ options, inner, outer, vip }) => {
      await service(vip, 80, outer, `-i${options}`);
      await service(vip, SUM_PORT, outer, `-i${options}`);
      const client = CLIENT[inner];
      const said = (name: string): string => `${name} ${client} ${vip}:80`;
      expect(await lab.fetchMany(2, `${inUrl(vip)}:80/`)).toEqual([said('rs2'), said('rs1')]);
      const size = await lab.fetch(
        `${inUrl(vip)}:80/big`,
        'cli',
        '-o',
        '/dev/null',
        '-w',
        '%{size_download}',
      );
      expect(size).toBe(String(BIG_BYTES));
      expect(await upload(vip)).toBe(true);
    });

    test('the client learns the size that a tunnel leaves', async () => {
      await service(VIP.own, SUM_PORT, 'v4', '-i');
      expect(await upload(VIP.own)).toBe(true);
      expect(await lab.run('cli', `ip route get ${VIP.own}`)).toMatchObject({
        stdout: expect.stringContaining('mtu 1480'),
      });
      const { counters } = await lab.director.status();
      expect(counters['icmp_errors_sent']).toBeGreaterThan(0);
    });

    test('without path MTU discovery the tunnel packets are cut instead', async () => {
      const setting = 'net.ipv4.vs.pmtu_disc';
      expect(await lab.director.uipvs(`sysctl -w ${setting}=0`)).toMatchObject({ status: 0 });
      await service(VIP.own, SUM_PORT, 'v4', '-i');
      expect(await upload(VIP.own)).toBe(true);
      expect((await lab.run('cli', `ip route get ${VIP.own}`)).stdout).not.toContain('mtu');
      await lab.director.uipvs(`sysctl -w ${setting}=1`);
    });

    test('what a server says of tunnel packets is told to the client', async () => {
      await decaps.end();
      await lab.ipvsadm(
        `-A -u ${VIP.own}:80`,
        `-a -u ${VIP.own}:80 -r ${SERVER.rs1.v4} -i --tun-type gue --tun-port 6080 --tun-nocsum`,
      );
      const { stdout } = await lab.run('cli', `dig +time=2 +tries=1 -p 80 @${VIP.own} name.test`);
      expect(stdout).toContain('connection refused');
    });
  });
});
