import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lacksPackets } from '../support/network-namespaces.ts';
import { until } from '../support/processes.ts';
import { isMissing } from '../support/programs.ts';
import { SyncPair } from '../support/sync-pair.ts';

const MASTER = 'master sync daemon (mcast=eth0, syncid=1';
const CLIENTS = ['10.95.0.1', '10.95.0.2', '10.95.0.3'] as const;

describe.skipIf(lacksPackets() || isMissing('socat'))("the sync daemons' interface", () => {
  const pair = new SyncPair();
  const { net } = pair;
  const { a: master, b: backup } = pair.directors;

  const isHeardOf = async (client: string): Promise<void> => {
    expect(await pair.fetch('a', client)).not.toBe('');
    await pair.hearsOf('b', client);
  };
  const runAgain = async (): Promise<void> => {
    for (const host of ['a', 'b'] as const)
      await until('no problem any more', async () => (await pair.problems(host)) === '');
  };

  beforeAll(() => pair.build(CLIENTS));
  afterAll(() => pair.remove());

  test('must be there when a daemon is started', async () => {
    const { status, stderr } = await master.ipvsadm('--start-daemon master --mcast-interface none0');
    expect({ status, stderr }).toEqual({ status: 255, stderr: expect.stringContaining('No such device') });
    expect(await master.ok('-L --daemon')).toBe('');
  });

  test('may go away and come back', async () => {
    await master.ok('--start-daemon master --mcast-interface eth0 --syncid 1');
    await backup.ok('--start-daemon backup --mcast-interface eth0 --syncid 1');
    await isHeardOf(CLIENTS[0]);

    await net.ip('a', 'link del eth0');
    await until('a problem of the master', async () =>
      (await pair.problems('a')).includes('master on eth0: '),
    );
    await until('a problem of the backup', async () =>
      (await pair.problems('b')).includes('backup on eth0: '),
    );
    expect(await master.ok('-L --daemon')).toContain(MASTER);

    await pair.connect();
    await runAgain();
    expect(master.log).toContain('sync: master on eth0 runs again');
    await isHeardOf(CLIENTS[1]);
  });

  test('may be missing when the director comes back after a crash', async () => {
    await master.kill('SIGKILL');
    await net.ip('a', 'link del eth0');
    await pair.start('a');
    expect(await master.ok('-L --daemon')).toContain(MASTER);
    expect(await pair.problems('a')).toContain('master on eth0: ');
    // What is configured survives a second time.
    await master.kill('SIGKILL');
    await pair.start('a');
    expect(await master.ok('-L --daemon')).toContain(MASTER);

    await pair.connect();
    await runAgain();
    await isHeardOf(CLIENTS[2]);
  });
});
