import { type ChildProcess, spawn } from 'node:child_process';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { lacksPackets } from '../support/network-namespaces.ts';
import { CLIENT, DIRECTOR, PacketLab, SERVER, SERVERS, VIP } from '../support/packet-lab.ts';
import { until } from '../support/processes.ts';
import { isMissing } from '../support/programs.ts';

const lab = new PacketLab();
const { net, director } = lab;
const skipped = lacksPackets() || isMissing('nft', 'nginx', 'curl', 'socat', 'nc');
const ECHO = `${VIP.own}:5002`;

/** A connection that stays open. */
class Held {
  readonly child: ChildProcess;
  text = '';

  constructor() {
    const [program, ...args] = net.inside('cli', 'nc', VIP.own, '5002');
    this.child = spawn(program!, args, { stdio: ['pipe', 'pipe', 'ignore'] });
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.text += text;
    });
  }

  async say(text: string): Promise<void> {
    const wanted = this.text + text;
    this.child.stdin!.write(text);
    await until(`the echo of ${text.trim().slice(0, 20)}`, () => this.text === wanted);
  }
}

const planes = async (): Promise<string[]> => (await director.status()).services.map(({ plane }) => plane);

describe.skipIf(skipped)('both planes together', () => {
  beforeAll(async () => {
    await lab.build();
    await lab.startWeb();
    for (const name of SERVERS) {
      lab.processes.start(net.inside(name, 'socat', 'TCP-LISTEN:5002,fork,reuseaddr', 'EXEC:cat'));
      lab.processes.start(
        net.inside(name, 'socat', 'UDP-LISTEN:7000,fork,reuseaddr', 'SYSTEM:read x; echo $SOCAT_PEERADDR'),
      );
    }
    await lab.start('--plane', 'auto');
  });
  afterEach(() => director.ok('-C'));
  afterAll(() => lab.remove());

  test('sockets serve what they can, and the host is left alone', async () => {
    const before = await lab.networkState('dir');
    await lab.ipvsadm(`-A -t ${VIP.own}:80 -s rr`, `-a -t ${VIP.own}:80 -r ${SERVER.rs1.v4} -m`);
    expect(await lab.fetch(`${VIP.own}:80/`)).toBe(`rs1 ${DIRECTOR.lan} ${SERVER.rs1.v4}:80`);
    expect(await planes()).toEqual(['proxy']);
    expect((await director.status()).director.footprint).toEqual([]);
    expect(await lab.networkState('dir')).toEqual(before);
  });

  test('a service that gets a gateway server comes to packets, and its proxied connections go on', async () => {
    for (const service of [ECHO, `${VIP.own}:80`])
      await lab.ipvsadm(`-A -t ${service} -s rr`, `-a -t ${service} -r ${SERVER.rs1.v4} -m`);
    const held = new Held();
    await held.say('by sockets\n');
    expect(await lab.fetch(`${VIP.own}:80/`)).toContain(DIRECTOR.lan);

    for (const service of [ECHO, `${VIP.own}:80`])
      await lab.ipvsadm(`-a -t ${service} -r ${SERVER.rs2.v4} -g -w 0`);
    expect(await planes()).toEqual(['packet', 'packet']);
    await held.say('still by sockets\n');
    await held.say(`${'much '.repeat(20_000)}\n`);
    expect(await lab.fetch(`${VIP.own}:80/`)).toBe(`rs1 ${CLIENT.v4} ${SERVER.rs1.v4}:80`);

    // New connections beside it.
    const other = new Held();
    await other.say('by packets\n');
    await held.say('and on\n');
    const { counters } = await director.status();
    expect(counters['tcp_flows_open']).toBe(1);
    expect(counters['packets_passed']).toBeGreaterThan(0);
    for (const { child } of [held, other]) child.kill();
    await until(
      'the proxied connection has ended',
      async () => (await director.status()).counters['tcp_flows_open'] === 0,
    );
  });

  test('a UDP flow goes over to packets with its service', async () => {
    const service = `${VIP.own}:7000`;
    await lab.ipvsadm(`-A -u ${service}`, `-a -u ${service} -r ${SERVER.rs1.v4} -m`);
    const ask = async (): Promise<string> => {
      const command = ['socat', '-t0.5', '-T1', '-', `UDP4:${service},bind=:40001`];
      return (await net.run('cli', command, 'x\n')).stdout.trim();
    };
    expect(await ask()).toBe(DIRECTOR.lan);
    await lab.ipvsadm(`-a -u ${service} -r ${SERVER.rs2.v4} -g -w 0`);
    expect(await planes()).toEqual(['packet']);
    expect(await ask()).toBe(CLIENT.v4);
  });

  test('a service of one port goes on by sockets beside one of all ports that packets serve', async () => {
    await lab.ipvsadm(
      `-A -t ${VIP.own}:80`,
      `-a -t ${VIP.own}:80 -r ${SERVER.rs1.v4} -m`,
      `-A -t ${VIP.own}:0 -p 60`,
      `-a -t ${VIP.own}:0 -r ${SERVER.rs2.v4} -m`,
    );
    expect((await planes()).sort()).toEqual(['packet', 'proxy']);
    expect(await lab.fetch(`${VIP.own}:80/`)).toBe(`rs1 ${DIRECTOR.lan} ${SERVER.rs1.v4}:80`);
    expect(await lab.fetch(`${VIP.own}:8080/`)).toBe(`rs2 ${CLIENT.v4} ${SERVER.rs2.v4}:8080`);
  });

  test('a port that another program holds is served by packets', async () => {
    const other = lab.processes.start(
      net.inside('dir', 'socat', 'TCP-LISTEN:88,fork,reuseaddr', 'EXEC:echo other'),
    );
    await until(
      'the other listens',
      async () => (await lab.run('dir', 'nc -w 1 127.0.0.1 88')).stdout === 'other\n',
    );
    await lab.ipvsadm(`-A -t ${VIP.own}:88`, `-a -t ${VIP.own}:88 -r ${SERVER.rs1.v4}:80 -m`);
    expect(await planes()).toEqual(['packet']);
    expect(await lab.fetch(`${VIP.own}:88/`)).toBe(`rs1 ${CLIENT.v4} ${SERVER.rs1.v4}:80`);
    // Its other addresses are its own.
    expect((await lab.run('cli', `nc -w 1 ${DIRECTOR.v4} 88`)).stdout).toBe('other\n');
    other.kill();
  });
});
