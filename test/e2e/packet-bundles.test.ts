import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LineProgram } from '../support/line-program.ts';
import { lacksPackets } from '../support/network-namespaces.ts';
import { PacketLab, SERVER, VIP } from '../support/packet-lab.ts';
import { until } from '../support/processes.ts';
import { isMissing } from '../support/programs.ts';
import { lacksTier } from '../support/uring.ts';

const PROGRAM = fileURLToPath(new URL('../../dist/test/support/datagrams-program.js', import.meta.url));
const BURSTS = 30;
/** Of each of four flows. */
const SENT = 16 * BURSTS;

const lab = new PacketLab();
const { net } = lab;
const skipped = lacksPackets() || isMissing('nft', 'ethtool') || lacksTier('uring');

/** Packets that the director's device has given to the host: of super-packets each is one. */
async function written(): Promise<number> {
  const { stdout } = await lab.run('dir', 'cat /sys/class/net/uipvs0/statistics/rx_packets');
  return Number(stdout);
}

describe.skipIf(skipped)('datagrams of a burst, written together', () => {
  beforeAll(async () => {
    await lab.build();
    await lab.start('--plane', 'packet', '--fresh', '--io', 'uring');
  });
  afterAll(() => lab.remove());

  test.each([
    { where: 'the server', vip: VIP.own, server: SERVER.rs1.v4, port: 7101, cuts: 'on' },
    { where: 'the director', vip: VIP.own, server: SERVER.rs1.v4, port: 7102, cuts: 'off' },
    { where: 'the server', vip: VIP.own6, server: SERVER.rs1.v6, port: 7103, cuts: 'on' },
    { where: 'the director', vip: VIP.own6, server: SERVER.rs1.v6, port: 7104, cuts: 'off' },
  ])('arrive at $server each as it was sent, in order, cut again at $where', async (each) => {
    const { vip, server, port, cuts } = each;
    const inBrackets = (host: string): string => (host.includes(':') ? `[${host}]` : host);
    expect((await lab.run('dir', `ethtool -K d1 tx-udp-segmentation ${cuts}`)).status).toBe(0);
    await lab.ipvsadm(
      `-A -u ${inBrackets(vip)}:${port} -s rr`,
      `-a -u ${inBrackets(vip)}:${port} -r ${inBrackets(server)}:${port} -m`,
    );
    const command = [process.execPath, PROGRAM, 'receive', server, String(port)];
    const receiver = new LineProgram(lab.processes, net.inside('rs1', ...command));
    expect(await receiver.line()).toBe('ready');
    const before = await written();
    const send = [process.execPath, PROGRAM, 'send', vip, String(port), String(BURSTS)];
    expect(await net.run('cli', send)).toMatchObject({ status: 0, stderr: '' });
    const all = JSON.stringify({ counts: [SENT, SENT, SENT, SENT], wrong: [] });
    await until('all have come', async () => {
      const seen = await receiver.ask('how many?');
      expect(seen).toContain('"wrong":[]');
      return seen === all;
    });
    expect((await written()) - before).toBeLessThan(0.8 * 4 * SENT);
    await receiver.end();
  });
});
