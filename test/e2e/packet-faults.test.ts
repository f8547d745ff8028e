import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { captureWays } from '../support/capture-ways.ts';
import { TestDirector } from '../support/director.ts';
import { lacksPackets } from '../support/network-namespaces.ts';
import { CLIENT, DIRECTOR, PacketLab, SERVER, SERVERS, VIP } from '../support/packet-lab.ts';
import { until } from '../support/processes.ts';
import { isMissing } from '../support/programs.ts';

const lab = new PacketLab();
const { net, director } = lab;
const skipped = lacksPackets() || isMissing('nft', 'nginx', 'curl', 'socat', 'nc', 'ping');
const OTHER_PORT = 8022;

async function serves(what: string, limitMs = 10_000): Promise<void> {
  await until(
    what,
    async () => /^rs\d /.test(await lab.fetch(`${VIP.own}:80/`, 'cli', '--max-time', '1')),
    limitMs,
  );
}

/** What a director said that is not of every start. */
const warnings = (): string =>
  director.log.replaceAll(/^uipvs: (director ready|.*: starting empty; the state so far).*\n/gm, '');

describe.skipIf(skipped)('when things go wrong', () => {
  beforeAll(async () => {
    await lab.build();
    await lab.startWeb();
    lab.processes.start(net.inside('dir', 'socat', `TCP-LISTEN:${OTHER_PORT},fork,reuseaddr`, 'EXEC:cat'));
  });
  afterAll(() => lab.remove());

  describe.each(skipped ? [] : captureWays())('on a running director, packets captured by %s', (way) => {
    beforeEach(async () => {
      await lab.start('--plane', 'packet', '--fresh', '--capture', way);
      await lab.ipvsadm(
        `-A -t ${VIP.own}:80 -s rr`,
        ...SERVERS.map((name) => `-a -t ${VIP.own}:80 -r ${SERVER[name].v4} -m`),
      );
      await serves('the service');
    });
    afterEach(() => director.kill('SIGTERM'));

    test('one that is killed under load leaves the host as it was, and the next one sweeps up and serves', async () => {
      await lab.ipvsadm(`-A -t ${VIP.own}:5000`, `-a -t ${VIP.own}:5000 -r ${SERVER.rs1.v4}:80 -m`);
      const held = spawn('ip', net.inside('cli', 'nc', VIP.own, String(OTHER_PORT)).slice(1), {
        stdio: ['pipe', 'pipe', 'ignore'],
      });
      let echoed = '';
      held.stdout.setEncoding('utf8').on('data', (text: string) => {
        echoed += text;
      });
      held.stdin.write('before\n');
      await until('another connection is there', () => echoed === 'before\n');
      const load = lab.processes.start(
        net.inside(
          'cli',
          'sh',
          '-c',
          `while :; do curl -s -o /dev/null --max-time 5 http://${VIP.own}/big; done`,
        ),
      );
      const ping = lab.run('cli', `ping -c 60 -i 0.05 -W 2 ${VIP.own}`);
      const routed = lab.run('cli', `ping -c 60 -i 0.05 -W 2 ${DIRECTOR.lan}`);
      await until('the load', async () => (await director.status()).counters['packets_in']! > 1000);
      await director.kill('SIGKILL');

      expect((await ping).stdout).toContain(' 0% packet loss');
      expect((await routed).stdout).toContain(' 0% packet loss');
      held.stdin.write('after\n');
      await until('the other connection goes on', () => echoed === 'before\nafter\n');
      held.kill();
      // Nobody is there for the virtual service; others are.
      expect(await lab.fetch(`${VIP.own}:80/`)).toMatch(/^\[7: /);
      expect((await net.run('cli', ['nc', '-N', '-w', '2', VIP.own, String(OTHER_PORT)], 'x')).stdout).toBe(
        'x',
      );
      for (const name of SERVERS)
        expect(await lab.fetch(`${SERVER[name].v4}:80/`, 'dir')).toBe(
          `${name} ${DIRECTOR.lan} ${SERVER[name].v4}:80`,
        );
      expect(await net.ip('dir', 'rule')).toContain('fwmark');

      await lab.start('--plane', 'packet');
      expect(director.log).toContain('left by an earlier director, removed: nft table ip uipvs');
      await serves('the service again');
      load.kill();
    });

    test.each(['uipvs0', 'uipvs-fw9'])('it makes %s again if that is deleted under it', async (device) => {
      await lab.ipvsadm('-A -f 9', `-a -f 9 -r ${SERVER.rs1.v4} -m`);
      await net.ip('dir', `link del ${device}`);
      await until('it is there again', () => director.log.includes(`device ${device} is there again`));
      await serves('the service');
      expect(director.log).toContain(`device ${device} is lost: EBADFD`);
      expect((await director.status()).director.problems).toEqual([]);
      // What is wished later is brought into effect as before.
      await lab.ipvsadm(`-A -t ${VIP.own}:81`, `-a -t ${VIP.own}:81 -r ${SERVER.rs2.v4}:80 -m`);
      expect(await lab.fetch(`${VIP.own}:81/`)).toBe(`rs2 ${CLIENT.v4} ${SERVER.rs2.v4}:80`);
    });

    test('it brings its device up again if that is taken down', async () => {
      await net.ip('dir', 'link set uipvs0 down');
      await serves('the service');
      expect(await net.ip('dir', 'link show uipvs0 up')).toContain('uipvs0');
    });

    test("it serves again when the servers' interface is up again", async () => {
      await net.ip('dir', 'link set d1 down');
      expect(await lab.fetch(`${VIP.own}:80/`, 'cli', '--max-time', '2')).toMatch(/^\[/);
      expect((await director.status()).counters['dropped_no_route']).toBeGreaterThan(0);
      await net.ip('dir', 'link set d1 up');
      await net.ip('dir', `addr replace ${DIRECTOR.lan6}/64 dev d1`);
      await serves('the service');
    });

    test('senseless packets, whole and in parts, are counted or passed, and the service goes on', async () => {
      for (const option of ['-t', '-u'])
        await lab.ipvsadm(
          `-A ${option} ${VIP.own}:0 -p 60`,
          `-a ${option} ${VIP.own}:0 -r ${SERVER.rs1.v4} -m`,
          `-A ${option} [${VIP.own6}]:0 -p 60`,
          `-a ${option} [${VIP.own6}]:0 -r ${SERVER.rs1.v6} -m`,
        );
      await lab.ipvsadm(`-A --sctp-service ${VIP.own}:0 -p 60`);
      const targets = [
        ...[1, 6, 17, 132].map((protocol) => `IP4-SENDTO:${VIP.own}:${protocol}`),
        ...[6, 17, 44, 58].map((protocol) => `IP6-SENDTO:[${VIP.own6}]:${protocol}`),
      ];
      for (const target of targets) {
        const sizes = '1 3 7 8 12 19 20 21 40 100 1200 1480 1481 3000 9000 60000';
        const script = `for n in ${sizes}; do for i in 1 2 3; do head -c $n /dev/urandom | socat -b65000 -u - '${target}'; done; done`;
        await net.run('cli', ['sh', '-c', script]);
      }
      await serves('the service');
      const { counters } = await director.status();
      expect(counters['dropped_malformed_transport']).toBeGreaterThan(10);
      expect(warnings()).toBe('');
      expect(director.process!.exitCode).toBeNull();
    });
  });

  describe('without privileges', () => {
    let user: TestDirector;
    beforeEach(() => {
      user = new TestDirector();
    });
    afterEach(() => user.cleanUp());

    test('a director of packets alone says what is missing, in one line, and ends with 1', async () => {
      const start = user.start(['--plane', 'packet'], net.inside('dir'));
      await expect(start).rejects.toThrow(
        /^the director ended: 1 uipvs: start the director: no packet plane: [^\n]*CAP_NET_ADMIN[^\n]*\n$/,
      );
    });

    test('one of both planes goes on by sockets, and refuses what needs packets with the reason', async () => {
      await user.start(['--plane', 'auto'], net.inside('dir'));
      const service = `${VIP.own}:8090`;
      await user.ok(`-A -t ${service} -s rr`);
      await user.ok(`-a -t ${service} -r ${SERVER.rs1.v4}:80 -m`);
      await until('the service', async () => (await lab.fetch(`${service}/`)).startsWith('rs1'));
      const refused = await user.ipvsadm(`-a -t ${service} -r ${SERVER.rs2.v4}:80 -g`);
      expect(refused.status).not.toBe(0);
      expect(refused.stderr).toMatch(/not masqueraded .*CAP_NET_ADMIN/s);
      expect(await user.ok('-Ln')).not.toContain(SERVER.rs2.v4);
      expect((await user.ipvsadm('-A -f 3')).stderr).toContain('CAP_NET_ADMIN');
      await user.kill('SIGTERM');
      expect(user.process).toMatchObject({ exitCode: 0, signalCode: null });
    });
  });

  test('a director that ends itself leaves nothing behind', async () => {
    const before = await lab.networkState('dir');
    await lab.start('--plane', 'packet', '--fresh');
    await lab.ipvsadm(`-A -t ${VIP.own}:80`, `-a -t ${VIP.own}:80 -r ${SERVER.rs1.v4} -m`);
    await lab.ipvsadm(`-A -t [${VIP.own6}]:80`, '-A -f 4', '-A -f 5 -6');
    await serves('the service');
    const { stdout } = await director.uipvs('status --footprint');
    const lines = stdout.trim().split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        'device uipvs0',
        'device uipvs-fw4',
        'device uipvs-fw5',
        'nft table ip uipvs',
        'nft table ip6 uipvs',
      ]),
    );
    expect(await lab.networkState('dir')).not.toEqual(before);

    const ended = once(director.process!, 'exit');
    await director.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    expect(await lab.networkState('dir')).toEqual(before);
    expect(warnings()).toBe('');
  });
});
