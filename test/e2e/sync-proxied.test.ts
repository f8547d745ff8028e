import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lacksPackets } from '../support/network-namespaces.ts';
import { isMissing } from '../support/programs.ts';
import { SyncPair } from '../support/sync-pair.ts';

const CLIENTS = Array.from({ length: 5 }, (_, i) => `10.95.0.${i + 1}`);

/** Templates are all that a director of sockets can take over. */
describe.skipIf(lacksPackets() || isMissing('socat')).each([1, 4])(
  'templates over %i sync ports',
  (ports) => {
    const pair = new SyncPair();

    beforeAll(async () => {
      await pair.build(CLIENTS);
      for (const [host, role] of [
        ['a', 'master'],
        ['b', 'backup'],
      ] as const) {
        const director = pair.directors[host];
        expect((await director.uipvs(`sysctl -w net.ipv4.vs.sync_ports=${ports}`)).status).toBe(0);
        await director.ok(`--start-daemon ${role} --mcast-interface eth0 --syncid 3`);
      }
    });
    afterAll(() => pair.remove());

    test('clients that come to the other director get the servers that they had', async () => {
      const servers = new Map<string, string>();
      for (const client of CLIENTS) servers.set(client, await pair.fetch('a', client));
      expect([...servers.values()].sort()).toEqual(['8080', '8080', '8081', '8081', '8081']);
      for (const client of CLIENTS) await pair.hearsOf('b', client);
      await pair.directors.a.kill('SIGKILL');
      // In this order round robin alone would choose otherwise.
      const again = new Map<string, string>();
      for (const client of [...CLIENTS.slice(1), ...CLIENTS.slice(0, 1)])
        again.set(client, await pair.fetch('b', client));
      expect(new Map([...again].sort())).toEqual(servers);
      const heard = (await pair.net.run('b', ['ss', '-Hlun'])).stdout.match(/224\.0\.0\.81(%eth0)?:\d+/g);
      expect(heard).toHaveLength(ports);
    });
  },
);
