import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { CaptureLab, FAR_VIP, SERVER, SERVER6, VIP, VIP6, WISH } from '../support/capture-lab.ts';
import { captureWays } from '../support/capture-ways.ts';
import type { CapturingDirector } from '../support/capturing-director.ts';
import { lacksPackets } from '../support/network-namespaces.ts';
import { until } from '../support/processes.ts';
import { isMissing } from '../support/programs.ts';

const lab = new CaptureLab();

const skipped = lacksPackets() || isMissing('nft', 'nc', 'socat', 'sysctl');
const ways = skipped ? [] : captureWays();

beforeAll(() => (skipped ? undefined : lab.setUp()));
afterAll(() => (skipped ? undefined : lab.tearDown()));

describe.skipIf(skipped).each(ways)('footprint of capture by %s', (way) => {
  let director: CapturingDirector;

  afterEach(() => director.kill());

  const start = async (...args: readonly string[]): Promise<void> => {
    director = await lab.startDirector(way, ...args);
    await director.capture(WISH);
  };

  test('says what of the host is in its way, and changes nothing of it', async () => {
    await start();
    expect(await director.ask('problems')).toEqual([]);
    await lab.net.sysctl('dir', 'net.ipv4.ip_forward=0', 'net.ipv4.conf.all.rp_filter=1');
    expect(await director.ask('problems')).toEqual([
      expect.stringMatching(/^net\.ipv4\.ip_forward is 0: /),
      expect.stringMatching(/^net\.ipv4\.conf\.all\.rp_filter has become 1: /),
    ]);
    await lab.net.sysctl('dir', 'net.ipv4.ip_forward=1', 'net.ipv4.conf.all.rp_filter=0');
  });

  test('lists what it changed', async () => {
    await start();
    const rules = await lab.net.run('dir', ['ip', 'rule']);
    expect(rules.stdout).toMatch(
      /^0:\tfrom all fwmark 0x75690000 lookup 1969815552\n0:\tfrom all lookup local\n/,
    );
    expect(await director.ask('list')).toEqual(
      expect.arrayContaining([
        'device uipvs0',
        'address 169.254.117.105/32 on uipvs0',
        'setting net.ipv4.conf.uipvs0.rp_filter=0',
        'route default dev uipvs0 table 1969815552 (IPv4)',
        'rule pref 0 fwmark 0x75690000 lookup 1969815552 (IPv6)',
        'nft table ip uipvs',
        'nft table ip6 uipvs',
        ...(way === 'tcx' ? ['tcx program on d0', 'tcx program on d1'] : []),
      ]),
    );
  });

  test('goes on after others have removed its rules', async () => {
    await start();
    await lab.net.run('dir', ['nft', 'flush', 'ruleset']);
    await lab.net.ip('dir', 'rule del pref 0 fwmark 0x75690000');
    await until('packets are taken again', async () => {
      await lab.fetch('cli', VIP, 80);
      return director.seen({ dst: VIP, dport: 80 }).length > 0;
    });
    expect(await lab.fetch('cli', VIP, 80)).toBe('director');
  });

  test('a second director in the same network is refused and harms nothing', async () => {
    await start();
    await expect(lab.startDirector(way)).rejects.toThrow('make device uipvs0: EBUSY');

    expect(await lab.fetch('cli', VIP, 80)).toBe('director');
    expect(director.seen({ dst: VIP })).not.toEqual([]);
    await director.close();
  });

  test('the rest of the traffic passes after a director was killed, and the next one sweeps up', async () => {
    const before = await lab.networkState();
    await start();
    await director.kill();

    for (const port of [80, 8080]) {
      expect(await lab.fetch('cli', VIP, port)).toBe('director');
      expect(await lab.fetch('cli', FAR_VIP, port)).toBe('server');
      expect(await lab.fetch('cli', SERVER, port)).toBe('server');
      expect(await lab.fetch('dir', SERVER, port)).toBe('server');
      expect(await lab.fetch('cli', SERVER6, port)).toBe('server');
      expect(await lab.fetch('cli', VIP6, port)).toBe('director');
    }

    director = await lab.startDirector(way);
    expect(director.swept).toEqual([
      'nft table ip uipvs',
      'rule pref 0 fwmark 0x75690000 lookup 1969815552 (IPv4)',
      'nft table ip6 uipvs',
      'rule pref 0 fwmark 0x75690000 lookup 1969815552 (IPv6)',
    ]);
    await director.close();
    expect(await lab.networkState()).toEqual(before);
  });

  test('nothing is put back while all is taken back', async () => {
    const before = await lab.networkState();
    for (const pauseMs of [90, 100, 110, 120, 140]) {
      await start();
      await lab.net.run('dir', ['nft', 'add', 'table', 'ip', 'user']);
      await lab.net.run('dir', ['nft', 'delete', 'table', 'ip', 'user']);
      await sleep(pauseMs);
      await director.close();
      expect(await lab.networkState()).toEqual(before);
    }
  });

  test('packets pass where the host checks reverse paths strictly', async () => {
    await lab.net.sysctl('dir', 'net.ipv4.conf.all.rp_filter=1');
    const before = await lab.networkState();
    await start();

    expect(await lab.fetch('cli', VIP, 80)).toBe('director');
    expect(await lab.fetch('cli', FAR_VIP, 80)).toBe('server');
    expect(await lab.fetch('cli', SERVER, 80)).toBe('server');
    expect(await lab.fetch('dir', VIP, 80)).toBe('director');
    expect(director.packets.length).toBeGreaterThan(10);

    const marks = `table ip user {
      chain marks {
        type filter hook prerouting priority mangle
        ip daddr ${FAR_VIP} tcp dport 8080 meta mark set 7
      }
    }\n`;
    await lab.net.run('dir', ['nft', '-f', '-'], marks);
    await director.ask('device uipvs-fw7');
    await director.capture({ ...WISH, marks: [7] });
    expect(await lab.fetch('cli', FAR_VIP, 8080)).toBe('server');
    expect(director.seen({ dst: FAR_VIP, dport: 8080, device: 'uipvs-fw7' })).not.toEqual([]);
    await lab.net.run('dir', ['nft', 'delete', 'table', 'ip', 'user']);
    expect(await director.ask('problems')).toEqual([]);

    await director.close();
    expect(await lab.networkState()).toEqual(before);
    await lab.net.sysctl('dir', 'net.ipv4.conf.all.rp_filter=0');
  });

  test('what belongs to services is tracked only where that is wished', async () => {
    const table = `table ip user {
      chain c {
        type filter hook forward priority 0
        ct state new,established counter
      }
    }\n`;
    await lab.net.run('dir', ['nft', '-f', '-'], table);
    const tracked = async (): Promise<number> => {
      const { stdout } = await lab.net.run('dir', ['nft', 'list', 'table', 'ip', 'user']);
      return Number(/packets (\d+)/.exec(stdout)![1]);
    };
    const modes = [
      ['untracked', false],
      // What is tracked is not redirected.
      ...(way === 'tcx' ? [] : [['tracked', true] as const]),
    ] as const;
    for (const [mode, isTracked] of modes) {
      await start(mode);
      const earlier = await tracked();
      expect(await lab.fetch('cli', VIP, 80)).toBe('director');
      expect((await tracked()) > earlier).toBe(isTracked);
      await director.close();
    }
    await lab.net.run('dir', ['nft', 'delete', 'table', 'ip', 'user']);
  });
});
