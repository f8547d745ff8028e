import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { CaptureLab, CLIENT, SERVER, TCP, VIP, WISH } from '../support/capture-lab.ts';
import { captureWays } from '../support/capture-ways.ts';
import type { CapturingDirector } from '../support/capturing-director.ts';
import { lacksPackets } from '../support/network-namespaces.ts';
import { until } from '../support/processes.ts';
import { isMissing } from '../support/programs.ts';

const lab = new CaptureLab();
/** Until the last packets of a connection have been told. */
const SETTLE_MS = 300;

const skipped = lacksPackets() || isMissing('nft', 'nc', 'socat', 'sysctl') || !captureWays().includes('tcx');

/** Sees packets to a service only if they pass the host's own prerouting. */
const COUNTER = `table ip user {
  chain early {
    type filter hook prerouting priority -400
    ip daddr ${VIP} tcp dport 80 counter
    ip saddr ${SERVER} tcp sport 80 counter
  }
}\n`;

describe.skipIf(skipped)('capture by tcx', () => {
  let director: CapturingDirector;

  beforeAll(() => lab.setUp());
  afterEach(async () => {
    await director.kill();
    await lab.net.run('dir', ['nft', 'delete', 'table', 'ip', 'user']);
  });
  afterAll(() => lab.tearDown());

  const start = async (...args: readonly string[]): Promise<void> => {
    director = await lab.startDirector(...args);
    await director.capture(WISH);
  };

  /** Packets that passed the host's prerouting, to the service and from its server. */
  const routed = async (): Promise<number[]> => {
    const { stdout } = await lab.net.run('dir', ['nft', 'list', 'table', 'ip', 'user']);
    return [...stdout.matchAll(/counter packets (\d+)/g)].map(([, count]) => Number(count));
  };

  const seen = (): number => director.seen({ src: CLIENT, dst: VIP, dport: 80 }).length;

  /** Fetches, and waits for the director to tell of the packets. */
  const isTaken = async (): Promise<void> => {
    director.packets.length = 0;
    expect(await lab.fetch('cli', VIP, 80)).toBe('director');
    await until('the director has the packets', () => seen() >= 3);
  };

  /** How often each packet to the service passes the host's prerouting. */
  const passes = async (way: string): Promise<number> => {
    await lab.net.run('dir', ['nft', '-f', '-'], COUNTER);
    await start(way);
    await isTaken();
    await sleep(SETTLE_MS);
    const [count = 0] = await routed();
    return count / seen();
  };

  test('leads packets of services and replies past the rules of the host', async () => {
    // Each packet is given back, and passes then.
    expect(await passes('nft')).toBe(2);
    await director.close();
    await lab.net.run('dir', ['nft', 'delete', 'table', 'ip', 'user']);
    expect(await passes('tcx')).toBe(1);
  });

  test('serves a device that comes later, and leaves one that goes', async () => {
    await start('tcx');
    const { net } = lab;
    await net.join(
      { namespace: 'cli', device: 'c9', addresses: ['10.89.0.2/24'] },
      { namespace: 'dir', device: 'd9', addresses: ['10.89.0.1/24'] },
    );
    const programs = async (): Promise<string[]> =>
      ((await director.ask('list')) as string[]).filter((line) => line.startsWith('tcx '));
    await until('the program is on the new device', async () =>
      (await programs()).includes('tcx program on d9'),
    );
    await lab.send('cli', '10.89.0.1', 9);
    await director.capture({ ...WISH, virtual: [...WISH.virtual, [TCP, '10.89.0.1', 80]] });
    expect(await lab.fetch('cli', '10.89.0.1', 80)).toBe('director');
    await until('its packets', () => director.seen({ dst: '10.89.0.1', dport: 80 }).length >= 3);

    await net.ip('dir', 'link del d9');
    await until('the program is off', async () => !(await programs()).includes('tcx program on d9'));
    expect(await programs()).toEqual(['tcx program on d0', 'tcx program on d1']);
    await isTaken();
  });

  test('is left where a firewall would not see packets, unless asked for', async () => {
    await start('auto');
    expect(await director.ask('way')).toBe('tcx and nft (BPF works here)');
    await lab.net.run('dir', ['nft', '-f', '-'], COUNTER);
    await until('nft captures alone', async () =>
      String(await director.ask('way')).startsWith(
        'nft (tcx would lead packets past nft chain ip user early',
      ),
    );
    await isTaken();
    expect((await routed())[0]).toBeGreaterThan(0);

    await lab.net.run('dir', ['nft', 'delete', 'table', 'ip', 'user']);
    await until(
      'the program is back',
      async () => (await director.ask('way')) === 'tcx and nft (BPF works here)',
    );
    await isTaken();
  });

  test('cannot be asked for where connections are tracked', async () => {
    await expect(lab.startDirector('tcx', 'tracked')).rejects.toThrow(
      'capture by tcx: net.ipv4.vs.conntrack is 1',
    );
    await start('auto', 'tracked');
    expect(await director.ask('way')).toBe('nft (net.ipv4.vs.conntrack is 1)');
  });

  test('leaves devices with strict reverse paths to nft', async () => {
    await lab.net.sysctl('dir', 'net.ipv4.conf.d0.rp_filter=1');
    await start('tcx');
    expect(await director.ask('way')).toBe('tcx and nft (asked for; nft alone on d0: it has rp_filter 1)');
    await isTaken();
    await lab.net.sysctl('dir', 'net.ipv4.conf.d0.rp_filter=0');
  });
});
