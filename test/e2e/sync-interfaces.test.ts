import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestDirector } from '../support/director.ts';
import { lacksPackets, NetworkNamespaces } from '../support/network-namespaces.ts';
import { Processes, until } from '../support/processes.ts';
import { isMissing } from '../support/programs.ts';

const VIP = '10.95.0.100';
const MASTER = 'master sync daemon (mcast=eth0, syncid=1';

/** A director that serves and tells of it, and one that hears; the client is on the first one's host. */
describe.skipIf(lacksPackets() || isMissing('socat'))("the sync daemons' interface", () => {
  const net = new NetworkNamespaces();
  const processes = new Processes();
  const [master, backup] = [0, 1].map(() => new TestDirector({ isPrivileged: true })) as [
    TestDirector,
    TestDirector,
  ];

  /** Both ends are gone when one is deleted. */
  const connect = async (): Promise<void> => {
    await net.join(
      { namespace: 'a', device: 'eth0', addresses: ['10.94.0.1/24'] },
      { namespace: 'b', device: 'eth0', addresses: ['10.94.0.2/24'] },
    );
    await net.linksUp('a', 'eth0');
    await net.linksUp('b', 'eth0');
  };
  const startMaster = (...args: readonly string[]): Promise<void> =>
    master.start(['--plane', 'proxy', ...args], net.inside('a'));
  /** Waits until the backup has heard of a client's template. */
  const hearsOf = async (client: string): Promise<void> => {
    const command = ['socat', '-T2', '-', `TCP:${VIP}:80,bind=${client}`];
    expect((await net.run('a', command)).stdout.trim()).toBe('server');
    await until(
      `the template of ${client}`,
      async () => (await backup.ok('-Lnc')).includes(`${client}:0 `),
      15_000,
    );
  };
  const problems = async (director: TestDirector): Promise<string> =>
    (await director.status()).director.problems.join('\n');

  beforeAll(async () => {
    await net.add('a', 'b');
    await connect();
    for (const address of [VIP, '10.95.0.1', '10.95.0.2', '10.95.0.3'])
      await net.ip('a', `addr add ${address}/32 dev lo`);
    processes.start(net.inside('a', 'socat', 'TCP-LISTEN:8080,fork,reuseaddr', 'EXEC:echo server'));
    await startMaster();
    await backup.start(['--plane', 'none'], net.inside('b'));
    const rules = `-A -t ${VIP}:80 -s rr -p 600\n-a -t ${VIP}:80 -r 127.0.0.1:8080 -m\n`;
    for (const director of [master, backup]) await director.ok('-R', rules);
  });

  afterAll(async () => {
    for (const director of [master, backup]) {
      await director.kill('SIGTERM');
      await director.cleanUp();
    }
    await processes.end();
    await net.remove();
  });

  test('must be there when a daemon is started', async () => {
    const { status, stderr } = await master.ipvsadm('--start-daemon master --mcast-interface none0');
    expect({ status, stderr }).toEqual({ status: 255, stderr: expect.stringContaining('No such device') });
    expect(await master.ok('-L --daemon')).toBe('');
  });

  test('may go away and come back', async () => {
    await master.ok('--start-daemon master --mcast-interface eth0 --syncid 1');
    await backup.ok('--start-daemon backup --mcast-interface eth0 --syncid 1');
    await hearsOf('10.95.0.1');

    await net.ip('a', 'link del eth0');
    for (const [director, name] of [
      [master, 'master'],
      [backup, 'backup'],
    ] as const) {
      await until(`a problem of the ${name}`, async () =>
        (await problems(director)).includes(`${name} on eth0: `),
      );
    }
    expect(await master.ok('-L --daemon')).toContain(MASTER);

    await connect();
    for (const director of [master, backup])
      await until('no problem any more', async () => (await problems(director)) === '');
    expect(master.log).toContain('sync: master on eth0 runs again');
    await hearsOf('10.95.0.2');
  });

  test('may be missing when the director comes back after a crash', async () => {
    await master.kill('SIGKILL');
    await net.ip('a', 'link del eth0');
    await startMaster();
    expect(await master.ok('-L --daemon')).toContain(MASTER);
    expect(await problems(master)).toContain('master on eth0: ');
    // What is configured survives a second time.
    await master.kill('SIGKILL');
    await startMaster();
    expect(await master.ok('-L --daemon')).toContain(MASTER);

    await connect();
    for (const director of [master, backup])
      await until('no problem any more', async () => (await problems(director)) === '');
    await hearsOf('10.95.0.3');
  });
});
