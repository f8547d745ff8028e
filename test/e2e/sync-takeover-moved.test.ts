import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestDirector } from '../support/director.ts';
import { LineProgram } from '../support/line-program.ts';
import { lacksPackets, NetworkNamespaces } from '../support/network-namespaces.ts';
import { Processes, until } from '../support/processes.ts';
import { isMissing } from '../support/programs.ts';

const IDLE = fileURLToPath(new URL('../../dist/test/support/idle-connections-program.js', import.meta.url));
const CONNECTIONS = 20;
/** Until records of new connections have been sent. */
const FLUSH_MS = 4000;

/** What moves from director to director: the virtual addresses, and the servers' gateway of IPv6. */
const VIP = '10.96.0.100';
const VIP6 = 'fd97::100';
const GATEWAY6 = 'fd96::fe';

/** Client, two directors and a server, all on one switch; the client's IPv6 network is reached by way of a director. */
describe.skipIf(lacksPackets() || isMissing('nft'))(
  'the director that takes over, its addresses moved by hand',
  () => {
    const net = new NetworkNamespaces();
    const programs = new Processes();
    const directors = [0, 1].map(() => new TestDirector({ isPrivileged: true })) as [
      TestDirector,
      TestDirector,
    ];
    const plug = async (namespace: string, ...addresses: readonly string[]): Promise<void> => {
      await net.join(
        { namespace: 'sw', device: `to-${namespace}`, addresses: [] },
        { namespace, device: 'eth0', addresses },
      );
      await net.ip('sw', `link set to-${namespace} master lan`);
    };
    /** Gives the moving addresses to one of the directors. */
    const move = async (to: string): Promise<void> => {
      for (const address of [`${VIP}/32`, `${VIP6}/64`, `${GATEWAY6}/64`])
        await net.ip(to, `addr add ${address} dev eth0`);
      for (const other of ['cli', 'srv']) await net.ip(other, 'neigh flush all');
    };

    beforeAll(async () => {
      await net.add('sw', 'cli', 'd1', 'd2', 'srv');
      await net.ip('sw', 'link add lan type bridge mcast_snooping 0');
      await net.ip('sw', 'link set lan up');
      await plug('cli', '10.96.0.2/24', 'fd97::2/64');
      await plug('srv', '10.96.0.21/24', 'fd96::21/64');
      for (const [i, director] of directors.entries()) {
        const name = `d${i + 1}`;
        await plug(name, `10.96.0.1${i + 1}/24`, `fd96::1${i + 1}/64`, `fd97::1${i + 1}/64`);
        await net.sysctl(name, 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
        await director.start(['--plane', 'packet'], net.inside(name));
        // Without a director the host must not answer for it.
        const drop = `table inet ha { chain input { type filter hook input priority 0; tcp dport 22 drop; }; }`;
        await net.run(name, ['nft', '-f', '-'], drop);
        const rules = [
          `-A -t ${VIP}:22 -s rr`,
          `-a -t ${VIP}:22 -r 10.96.0.21:22 -g`,
          `-A -t [${VIP6}]:22 -s rr`,
          `-a -t [${VIP6}]:22 -r [fd96::21]:22 -m`,
        ];
        await director.ok('-R', `${rules.join('\n')}\n`);
        const role = i === 0 ? 'master' : 'backup';
        await director.ok(`--start-daemon ${role} --mcast-interface eth0 --syncid 7`);
      }
      await net.sysctl('srv', 'net.ipv4.conf.all.arp_ignore=1', 'net.ipv4.conf.all.arp_announce=2');
      await net.ip('srv', `addr add ${VIP}/32 dev lo`);
      await net.ip('srv', `route add default via ${GATEWAY6}`);
      programs.start(net.inside('srv', process.execPath, IDLE, 'serve', '22'));
      await move('d1');
      await until('the server listens', async () => {
        const { stdout } = await net.run('srv', ['ss', '-Hltn']);
        return stdout.includes(':22 ');
      });
    });

    afterAll(async () => {
      await programs.end();
      for (const director of directors) {
        await director.kill('SIGTERM');
        await director.cleanUp();
      }
      await net.remove();
    });

    test('keeps connections by direct routing, and translated ones of IPv6', {
      timeout: 60_000,
    }, async () => {
      const held = [VIP, VIP6].map(
        (vip) =>
          new LineProgram(
            programs,
            net.inside('cli', process.execPath, IDLE, 'hold', vip, '22', `${CONNECTIONS}`),
          ),
      );
      for (const program of held) expect(await program.line()).toBe(`open ${CONNECTIONS}`);
      await sleep(FLUSH_MS);
      await directors[0].kill('SIGKILL');
      await net.ip('d1', 'link set eth0 down');
      await move('d2');

      for (const program of held) expect(await program.ask('talk')).toBe(`alive ${CONNECTIONS}`);
      const entries = (await directors[1].ok('-Lnc'))
        .split('\n')
        .filter((line) => line.includes('ESTABLISHED'));
      expect(entries).toHaveLength(2 * CONNECTIONS);
      const { counters } = await directors[1].status();
      expect(counters['packets_to_servers']).toBeGreaterThanOrEqual(2 * CONNECTIONS);
      for (const program of held) await program.end();
    });
  },
);
