import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { captureWays } from '../support/capture-ways.ts';
import { lacksPackets } from '../support/network-namespaces.ts';
import { CLIENT, DIRECTOR, PacketLab, SERVER, SERVERS, VIP } from '../support/packet-lab.ts';
import { until } from '../support/processes.ts';
import { findProgram, isMissing } from '../support/programs.ts';

const skipped =
  lacksPackets() ||
  isMissing(
    'nft',
    'nginx',
    'curl',
    'iperf3',
    'dig',
    'dnsmasq',
    'ping',
    'traceroute',
    'nc',
    'nstat',
    'ethtool',
  );

const lab = new PacketLab();

/** Adds a masqueraded service with both servers. @param port of the servers; 0: the service's */
function service(option: string, address: string, family: 'v4' | 'v6' = 'v4', port = 0): Promise<void> {
  const server = (addr: string): string => {
    if (port === 0) return addr;
    return family === 'v6' ? `[${addr}]:${port}` : `${addr}:${port}`;
  };
  return lab.ipvsadm(
    `-A ${option} ${address} -s rr`,
    ...SERVERS.map((name) => `-a ${option} ${address} -r ${server(SERVER[name][family])} -m`),
  );
}

/** Runs iperf3 through a service. @returns bits per second, and the servers' view of who sent */
async function iperf(address: string, ...options: readonly string[]): Promise<number> {
  const command = ['iperf3', '-c', address, '-J', '-t', '2', ...options];
  const { stdout, stderr } = await lab.net.run('cli', command);
  const report = JSON.parse(stdout || '{}');
  if (report.error !== undefined) throw new Error(`${report.error} ${stderr}`);
  return (report.end.sum_received ?? report.end.sum).bits_per_second;
}

beforeAll(async () => {
  if (skipped) return;
  await lab.build();
  await lab.startWeb();
  for (const name of SERVERS) {
    lab.processes.start(lab.net.inside(name, 'iperf3', '-s'));
    const records = ['v4', 'v6'].flatMap((family) => [
      '--host-record',
      `name.test,${SERVER[name][family as 'v4' | 'v6']}`,
    ]);
    const options = ['-k', '--no-resolv', '--no-hosts', '--conf-file=/dev/null', '--user=root', ...records];
    lab.processes.start(lab.net.inside(name, findProgram('dnsmasq')!, ...options));
  }
  await until('name servers answer', async () => {
    const answers = SERVERS.map((name) => lab.run(name, 'dig +short +time=1 +tries=1 @127.0.0.1 name.test'));
    return (await Promise.all(answers)).every(({ status }) => status === 0);
  });
});
afterAll(() => (skipped ? undefined : lab.remove()));

describe.skipIf(skipped).each(skipped ? [] : captureWays())(
  'masquerading by packets, captured by %s',
  (way) => {
    beforeAll(() => lab.start('--plane', 'packet', '--fresh', '--capture', way));
    afterEach(() => lab.director.ok('-C'));
    afterAll(() => lab.director.kill('SIGTERM'));

    test('the status tells the way and what there is of it', async () => {
      const { director } = await lab.director.status();
      const devices = way === 'tcx' ? ['tcx program on d0', 'tcx program on d1'] : [];
      expect(director.capture).toBe(way === 'tcx' ? 'tcx and nft (asked for)' : 'nft (asked for)');
      expect(director.footprint.filter((line) => line.startsWith('tcx '))).toEqual(devices);
    });

    test.each([
      { what: 'an address of the director', option: '-t', address: VIP.own, family: 'v4', client: CLIENT.v4 },
      {
        what: 'an IPv6 address of the director',
        option: '-t',
        address: `[${VIP.own6}]`,
        family: 'v6',
        client: CLIENT.v6,
      },
      {
        what: 'an address that is routed to it',
        option: '-t',
        address: VIP.routed,
        family: 'v4',
        client: CLIENT.v4,
      },
    ] as const)(
      'servers behind $what answer in turn, and see the client',
      async ({ address, family, client }) => {
        await service('-t', `${address}:80`, family, 8080);
        const answers = await lab.fetchMany(4, `${address}:80/`);
        const said = (name: 'rs1' | 'rs2'): string => `${name} ${client} ${SERVER[name][family]}:8080`;
        expect(answers).toEqual([said('rs2'), said('rs1'), said('rs2'), said('rs1')]);

        const listing = await lab.director.ok('-Lcn');
        const server = family === 'v6' ? `[${SERVER.rs1.v6}]` : SERVER.rs1.v4;
        expect(listing).toMatch(new RegExp(`TIME_WAIT .*${server.replace(/[[\]]/g, '\\$&')}:8080`));
      },
    );

    test.each([
      ['over TCP', ['-t'], []],
      ['over TCP from the server', ['-t'], ['-R']],
      ['over TCP and IPv6', ['-t'], ['-6']],
      ['over UDP', ['-t', '-u'], ['-u', '-b', '50M']],
      ['over UDP from the server', ['-t', '-u'], ['-u', '-R', '-b', '50M']],
    ] as const)('data flows: iperf3 %s', async (_how, options, args) => {
      const isV6 = args.includes('-6' as never);
      const vip = isV6 ? VIP.own6 : VIP.own;
      const [address, server] = isV6 ? [`[${vip}]`, SERVER.rs1.v6] : [vip, SERVER.rs1.v4];
      for (const option of options) {
        await lab.ipvsadm(
          `-A ${option} ${address}:5201 -s rr`,
          `-a ${option} ${address}:5201 -r ${server} -m`,
        );
      }
      const rate = await iperf(vip, ...args);
      expect(rate).toBeGreaterThan(args.includes('-u' as never) ? 30e6 : 100e6);
    });

    test.each([
      { server: `@${VIP.own}`, address: `${VIP.own}:53`, family: 'v4', type: 'A' },
      { server: `@${VIP.own6}`, address: `[${VIP.own6}]:53`, family: 'v6', type: 'AAAA' },
    ] as const)(
      'name servers at $address answer over UDP and TCP',
      async ({ server, address, family, type }) => {
        for (const option of ['-u', '-t']) await service(option, address, family);
        const answers: string[] = [];
        for (const how of ['+notcp', '+notcp', '+tcp', '+tcp']) {
          const { stdout } = await lab.run(
            'cli',
            `dig +short +time=2 +tries=1 ${how} ${server} name.test ${type}`,
          );
          answers.push(stdout.trim());
        }
        const { rs1, rs2 } = SERVER;
        expect(answers).toEqual([rs2[family], rs1[family], rs2[family], rs1[family]]);
      },
    );

    test("the rest of a virtual address is the host's own, and echoes", async () => {
      await service('-t', `${VIP.own}:80`);
      await service('-t', `[${VIP.own6}]:80`, 'v6');
      for (const vip of [VIP.own, VIP.own6]) {
        expect(await lab.run('cli', `ping -c 2 -i 0.2 -W 2 ${vip}`)).toMatchObject({ status: 0 });
        expect(await lab.run('cli', `ping -c 1 -W 2 -s 4000 ${vip}`)).toMatchObject({ status: 0 });
      }
      lab.processes.start(lab.net.inside('dir', 'nc', '-l', '-k', '8022'));
      await until(
        'another port answers',
        async () => (await lab.run('cli', `nc -z -w 1 ${VIP.own} 8022`)).status === 0,
      );
      expect(await lab.fetch(`${VIP.own}:81/`)).toMatch(/^\[7: .*refused|^\[7: .*connect/i);
    });

    test('the way to it and through it shows in a trace', async () => {
      await service('-t', `${VIP.own}:80`);
      await service('-t', `${VIP.routed}:80`);
      const hops = async (words: string): Promise<string[]> => {
        const { stdout } = await lab.run('cli', `traceroute -n -q 1 -w 2 -m 5 ${words}`);
        return stdout
          .trim()
          .split('\n')
          .slice(1)
          .map((line) => line.trim().split(/\s+/)[1]!);
      };
      // The director takes one from the TTL, as a router on the way to the server.
      expect(await hops(`-T -p 80 ${VIP.own}`)).toEqual([VIP.own, VIP.own]);
      expect(await hops(`-T -p 80 ${VIP.routed}`)).toEqual([VIP.routed, VIP.routed]);
      // The host itself is the end of what is not the service's.
      expect(await hops(`-U -p 33434 ${VIP.own}`)).toEqual([VIP.own]);
      expect(await hops(`-I ${VIP.own}`)).toEqual([VIP.own]);
      expect(await hops(`-T -p 81 ${VIP.own}`)).toEqual([VIP.own]);
      expect(await hops(`-T -p 80 ${SERVER.rs1.v4}`)).toEqual([SERVER.rs1.v4]);
    });

    test.each([
      { address: VIP.own, name: 'IcmpInDestUnreachs' },
      { address: `[${VIP.own6}]`, name: 'Icmp6InDestUnreachs' },
    ])(
      'a client of $address without server is told that the port is unreachable',
      async ({ address, name }) => {
        await lab.ipvsadm(`-A -t ${address}:80`, `-A -u ${address}:80`);
        const before = await lab.snmp('cli', name);
        expect(await lab.fetch(`${address}:80/`)).toMatch(/^\[7: .*after \d+ ms/);
        expect(await lab.snmp('cli', name)).toBeGreaterThan(before);

        const datagram = await lab.net.run(
          'cli',
          ['nc', '-u', '-w', '2', ...address.replace(/[[\]]/g, '').split(' '), '80'],
          'x',
        );
        expect(datagram.status).toBe(0);
        await until('the datagram is refused', async () => (await lab.snmp('cli', name)) > before + 1);
      },
    );

    test('a client of a server without a listener is told so by the service', async () => {
      await lab.ipvsadm(`-A -u ${VIP.own}:99`, `-a -u ${VIP.own}:99 -r ${SERVER.rs1.v4} -m`);
      const { stdout } = await lab.run('cli', `dig +time=2 +tries=1 -p 99 @${VIP.own} name.test`);
      expect(stdout).toContain(`connection refused`);
    });

    test.each([
      { what: 'its own address', address: VIP.own, family: 'v4', sees: DIRECTOR.lan },
      { what: 'its own IPv6 address', address: `[${VIP.own6}]`, family: 'v6', sees: DIRECTOR.lan6 },
      { what: 'an address that nobody has', address: VIP.routed, family: 'v4', sees: DIRECTOR.lan },
    ] as const)('a client on the director is served at $what', async ({ address, family }) => {
      if (address === VIP.routed) await lab.net.ip('dir', `route replace ${VIP.routed} via ${SERVER.rs1.v4}`);
      await service('-t', `${address}:80`, family);
      const answers = await lab.fetchMany(4, `${address}:80/`, 'dir');
      expect(answers.map((answer) => answer.split(' ')[0])).toEqual(['rs2', 'rs1', 'rs2', 'rs1']);
      if (address === VIP.routed) await lab.net.ip('dir', `route del ${VIP.routed}`);
    });

    test('the director may be one of the servers', async () => {
      lab.processes.start(
        lab.net.inside(
          'dir',
          'socat',
          'TCP-LISTEN:8090,fork,reuseaddr',
          'SYSTEM:echo director $SOCAT_PEERADDR',
        ),
      );
      await lab.ipvsadm(
        `-A -t ${VIP.own}:90 -s rr`,
        `-a -t ${VIP.own}:90 -r ${DIRECTOR.lan}:8090 -m`,
        `-a -t ${VIP.own}:90 -r ${VIP.own}:8090 -m`,
      );
      const answers: string[] = [];
      for (let i = 0; i < 4; i++) answers.push((await lab.run('cli', `nc -w 2 ${VIP.own} 90`)).stdout.trim());
      expect(answers).toEqual(Array(4).fill(`director ${CLIENT.v4}`));
    });

    test("the director's own connections to servers stay its own, and so do those of others through it", async () => {
      await service('-t', `${VIP.own}:80`);
      await service('-t', `[${VIP.own6}]:80`, 'v6');
      for (const name of SERVERS) {
        const { v4, v6 } = SERVER[name];
        for (const port of [80, 8080]) {
          expect(await lab.fetch(`${v4}:${port}/`, 'dir')).toBe(`${name} ${DIRECTOR.lan} ${v4}:${port}`);
          expect(await lab.fetch(`[${v6}]:${port}/`, 'dir')).toBe(`${name} ${DIRECTOR.lan6} ${v6}:${port}`);
        }
        await lab.net.ip('cli', `route replace ${v4} via ${DIRECTOR.v4}`);
        await lab.net.ip('cli', `route replace ${v6} via ${DIRECTOR.v6}`);
        expect(await lab.fetch(`${v4}:80/`)).toBe(`${name} ${CLIENT.v4} ${v4}:80`);
        expect(await lab.fetch(`[${v6}]:80/`)).toBe(`${name} ${CLIENT.v6} ${v6}:80`);
        await lab.net.ip('cli', `route del ${v4}`);
        await lab.net.ip('cli', `route del ${v6} via ${DIRECTOR.v6}`);
      }
      const { counters } = await lab.director.status();
      expect(counters['dropped_malformed']).toBe(0);
      expect(await lab.director.ok('-Lcn')).not.toMatch(/ 10\.91\.0\.1:\d+ +10\.91\.0\.1\d:/);
    });

    test('what was sent in fragments arrives', async () => {
      await lab.ipvsadm(`-A -u ${VIP.own}:77`, `-a -u ${VIP.own}:77 -r ${SERVER.rs1.v4} -m`);
      await lab.ipvsadm(`-A -u [${VIP.own6}]:77`, `-a -u [${VIP.own6}]:77 -r ${SERVER.rs1.v6} -m`);
      for (const [version, vip] of [
        ['4', VIP.own],
        ['6', VIP.own6],
      ] as const) {
        const echo = lab.processes.start(
          lab.net.inside('rs1', 'socat', '-b9000', `UDP${version}-LISTEN:77,fork`, 'EXEC:cat'),
        );
        const data = 'abcdefgh'.repeat(900);
        let answer = '';
        await until(`a large datagram over IPv${version} comes back`, async () => {
          const target = version === '4' ? vip : `[${vip}]`;
          answer = (
            await lab.net.run(
              'cli',
              ['socat', '-b9000', '-T', '1', '-t', '1', '-', `UDP${version}:${target}:77`],
              data,
            )
          ).stdout;
          return answer !== '';
        });
        expect(answer).toBe(data);
        echo.kill();
      }
    });

    test("what is too long for the servers' network is told to the client", async () => {
      await service('-t', `${VIP.own}:80`);
      for (const name of SERVERS) await lab.net.ip('dir', `route replace ${SERVER[name].v4} dev d1 mtu 1300`);
      const answer = await lab.fetch(`${VIP.own}:80/`, 'cli', '-H', `X: ${'y'.repeat(6000)}`);
      expect(answer).toMatch(/^rs\d /);
      const { stdout } = await lab.run('cli', `ip route get ${VIP.own}`);
      expect(stdout).toContain('mtu 1300');
      for (const name of SERVERS) await lab.net.ip('dir', `route del ${SERVER[name].v4} dev d1`);
    });
  },
);
