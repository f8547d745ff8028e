import { existsSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { lacksPackets } from '../support/network-namespaces.ts';
import { CLIENT, PacketLab, SERVER, SERVERS, VIP } from '../support/packet-lab.ts';
import { until } from '../support/processes.ts';
import { isMissing } from '../support/programs.ts';

const lab = new PacketLab();
const { net } = lab;
const skipped = lacksPackets() || isMissing('nft', 'nginx', 'curl', 'socat', 'nc');

/** Without the kernel's module for SCTP no program can speak it. */
function lacksSctp(): boolean {
  const isLacking = !existsSync('/proc/net/sctp');
  if (isLacking) process.stderr.write('skipped: this kernel has no SCTP\n');
  return isLacking;
}

const names = (answers: readonly string[]): string[] => answers.map((answer) => answer.split(' ')[0]!);

function add(service: string, method: string, schedule = '-s rr', port = ''): Promise<void> {
  return lab.ipvsadm(
    `-A ${service} ${schedule}`,
    ...SERVERS.map((name) => `-a ${service} -r ${SERVER[name].v4}${port} ${method}`),
  );
}

describe.skipIf(skipped)('services that only packets can serve', () => {
  beforeAll(async () => {
    await lab.build();
    await lab.startWeb();
    await lab.start('--plane', 'packet');
  });
  afterEach(async () => {
    await lab.director.ok('-C');
    await net.run('dir', ['nft', 'delete', 'table', 'ip', 'marks']);
  });
  afterAll(() => lab.remove());

  /** Lets the host mark packets to ports of an address. */
  async function mark(vip: string, ports: string, value: number): Promise<void> {
    const chain = `type filter hook prerouting priority mangle; ip daddr ${vip} tcp dport { ${ports} } meta mark set ${value}`;
    const { status, stderr } = await net.run(
      'dir',
      ['nft', '-f', '-'],
      `table ip marks {\nchain c {\n${chain}\n}\n}\n`,
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  }

  test.each([
    { what: 'its own address', vip: VIP.own },
    { what: 'an address that is routed to it', vip: VIP.routed },
  ])('a firewall mark makes one service of two ports of $what', async ({ vip }) => {
    await mark(vip, '80, 8080', 5);
    await add('-f 5', '-m', '-s rr -p 60');
    const answers = [
      await lab.fetch(`${vip}:80/`),
      await lab.fetch(`${vip}:8080/`),
      await lab.fetch(`${vip}:80/`),
    ];
    const [first] = names(answers);
    expect(answers).toEqual(
      [80, 8080, 80].map((port) => `${first} ${CLIENT.v4} ${SERVER[first as 'rs1'].v4}:${port}`),
    );
    const { director } = await lab.director.status();
    expect(director.footprint).toContain('device uipvs-fw5');
    // A port without the mark is the host's.
    expect(await lab.fetch(`${vip}:8081/`, 'cli', '--max-time', '2')).toMatch(/^\[(7|28): /);
  });

  test('services of several marks come and go', async () => {
    await mark(VIP.own, '80', 6);
    for (const value of [6, 7, 0xfffffffe]) await add(`-f ${value}`, '-m');
    expect(names(await lab.fetchMany(2, `${VIP.own}:80/`))).toEqual(['rs2', 'rs1']);
    const links = async (): Promise<string[]> =>
      (await net.ip('dir', '-o link'))
        .split('\n')
        .flatMap((line) => /^\d+: (uipvs[^:]*):/.exec(line)?.[1] ?? []);
    expect(await links()).toEqual(
      expect.arrayContaining(['uipvs0', 'uipvs-fw6', 'uipvs-fw7', 'uipvs-ffffffffe']),
    );
    await lab.ipvsadm('-D -f 7', '-D -f 4294967294');
    expect(names(await lab.fetchMany(2, `${VIP.own}:80/`))).toEqual(['rs2', 'rs1']);
    expect(await links()).not.toEqual(expect.arrayContaining(['uipvs-fw7']));
    expect(await links()).not.toEqual(expect.arrayContaining(['uipvs-ffffffffe']));

    // A device stays as long as connections of its mark do.
    await lab.ipvsadm('-C');
    expect(await links()).toContain('uipvs-fw6');
  });

  test('a service of all ports sends a client to one server, whatever the port', async () => {
    await add(`-t ${VIP.own}:0`, '-m', '-s rr -p 60');
    const answers = [
      await lab.fetch(`${VIP.own}:80/`),
      await lab.fetch(`${VIP.own}:8080/`),
      await lab.fetch(`${VIP.own}:80/`),
    ];
    expect(new Set(names(answers)).size).toBe(1);
    expect(await lab.fetch(`${VIP.own}:8080/`)).toMatch(/:8080$/);
    expect(await lab.director.ok('-Lcn')).toMatch(/TCP .* 10\.90\.0\.2:0 +10\.90\.0\.100:0/);
  });

  test('each datagram of a one-packet service is scheduled by itself', async () => {
    // By direct routing: of masqueraded servers the answers would come from an unknown sender.
    for (const name of SERVERS) {
      await net.ip(name, `addr add ${VIP.own}/32 dev lo`);
      await net.ip(name, `route add 10.90.0.0/24 via ${CLIENT.lan}`);
      const says = ['socat', `UDP-LISTEN:7000,bind=${VIP.own},fork,reuseaddr`, `SYSTEM:read x; echo ${name}`];
      lab.processes.start(net.inside(name, ...says));
    }
    await add(`-u ${VIP.own}:7000`, '-g', '-s rr -o');
    const ask = async (): Promise<string> => {
      const command = ['socat', '-t1', '-T1', '-', `UDP4:${VIP.own}:7000,bind=:40000`];
      return (await net.run('cli', command, 'x\n')).stdout.trim();
    };
    expect([await ask(), await ask(), await ask(), await ask()]).toEqual(['rs2', 'rs1', 'rs2', 'rs1']);
    expect(await lab.director.ok('-Lcn')).not.toMatch(/^UDP/m);
    for (const name of SERVERS) {
      await net.ip(name, `addr del ${VIP.own}/32 dev lo`);
      await net.ip(name, `route del 10.90.0.0/24 via ${CLIENT.lan}`);
    }
  });

  test.skipIf(lacksSctp())('SCTP is served', async () => {
    for (const name of SERVERS)
      lab.processes.start(net.inside(name, 'socat', 'SCTP-LISTEN:7001,fork', `SYSTEM:echo ${name}`));
    await add(`--sctp-service ${VIP.own}:7001`, '-m');
    const ask = async (): Promise<string> =>
      (await lab.run('cli', `socat -T2 - SCTP:${VIP.own}:7001`)).stdout.trim();
    await until('a server answers', async () => (await ask()) !== '');
    expect(new Set([await ask(), await ask()])).toEqual(new Set(['rs1', 'rs2']));
  });

  test('a service that is changed under load serves on', async () => {
    await add(`-t ${VIP.own}:80`, '-m');
    const failures: string[] = [];
    let runs = true;
    const load = (async () => {
      while (runs) {
        const answer = await lab.fetch(`${VIP.own}:80/`);
        if (!/^rs\d /.test(answer)) failures.push(answer);
      }
    })();
    for (let port = 1000; port < 1030; port++) await lab.ipvsadm(`-A -t ${VIP.own}:${port}`);
    for (let port = 1000; port < 1030; port++) await lab.ipvsadm(`-D -t ${VIP.own}:${port}`);
    runs = false;
    await load;
    expect(failures).toEqual([]);
  });
});
