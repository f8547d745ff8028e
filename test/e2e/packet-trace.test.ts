import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lacksPackets } from '../support/network-namespaces.ts';
import { CLIENT, DIRECTOR, PacketLab, SERVER, VIP } from '../support/packet-lab.ts';
import { run } from '../support/processes.ts';
import { findProgram, isMissing } from '../support/programs.ts';

const lab = new PacketLab();
const skipped = lacksPackets() || isMissing('nft', 'nginx', 'curl', 'tshark');
const FIELDS = [
  'frame.packet_flags_direction',
  'ip.src',
  'ip.dst',
  'ip.proto',
  'tcp.dstport',
  'frame.comment',
];
const [IN, OUT] = ['0x00000001', '0x00000002'];

describe.skipIf(skipped)('a trace of real traffic', () => {
  const file = join(lab.director.scratch, 'trace.pcapng');
  let lines: string[][];

  beforeAll(async () => {
    await lab.build();
    await lab.startWeb();
    await lab.start('--plane', 'packet', '--pcap', `${file},host ${CLIENT.v4}`);
    const { rs1 } = SERVER;
    await lab.ipvsadm(
      `-A -t ${VIP.own}:80 -s rr`,
      `-a -t ${VIP.own}:80 -r ${rs1.v4}:8080 -m`,
      `-A -t ${VIP.own}:81 -s rr`,
      `-a -t ${VIP.own}:81 -r ${rs1.v4}:81 -g`,
      `-A -t ${VIP.own}:82 -s rr`,
      `-a -t ${VIP.own}:82 -r ${rs1.v4}:82 -i`,
      `-A -t ${VIP.own}:83 -s rr`,
    );
    expect(await lab.fetch(`${VIP.own}:80/`)).toContain('rs1');
    // Nobody answers, and packets leave nevertheless.
    for (const port of [81, 82]) await lab.fetch(`${VIP.own}:${port}/`, 'cli', '--max-time', '1');
    await lab.fetch(`${VIP.own}:83/`);
    await lab.director.kill('SIGTERM');

    const fields = FIELDS.flatMap((field) => ['-e', field]);
    const command = [findProgram('tshark')!, '-r', file, '-T', 'fields', '-E', 'occurrence=f', ...fields];
    const { status, stdout, stderr } = await run(command);
    expect({ status, isBroken: /cut short|damaged|malformed|isn't a capture/i.test(stderr) }).toEqual({
      status: 0,
      isBroken: false,
    });
    lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split('\t'));
  });
  afterAll(() => lab.remove());

  /** The first packets as they came to a port, and what left right behind. */
  function around(port: number): (string[] | undefined)[] {
    const first = lines.findIndex(([direction, , , , dport]) => direction === IN && dport === String(port));
    return [lines[first], lines[first + 1]];
  }

  test('has masqueraded packets as they came and left, both ways', () => {
    const decision = `TRANSMIT; service TCP ${VIP.own}:80 rr; server ${SERVER.rs1.v4}:8080 Masq; state SYN_RECV`;
    expect(around(80)).toEqual([
      [IN, CLIENT.v4, VIP.own, '6', '80', decision],
      [OUT, CLIENT.v4, SERVER.rs1.v4, '6', '8080', decision],
    ]);
    const reply = lines.findIndex(([direction, source]) => direction === IN && source === SERVER.rs1.v4);
    expect(lines[reply]![5]).toMatch(/^REPLY; service TCP .*; state SYN_RECV$/);
    expect(lines[reply + 1]!.slice(0, 3)).toEqual([OUT, VIP.own, CLIENT.v4]);
  });

  test('has packets that leave for gateway servers as they are', () => {
    const decision = `TRANSMIT; service TCP ${VIP.own}:81 rr; server ${SERVER.rs1.v4}:81 Route; state SYN_RECV`;
    expect(around(81)).toEqual([
      [IN, CLIENT.v4, VIP.own, '6', '81', decision],
      [OUT, CLIENT.v4, VIP.own, '6', '81', decision],
    ]);
  });

  test('has packets that leave through tunnels in their wrapping', () => {
    const decision = `TRANSMIT; service TCP ${VIP.own}:82 rr; server ${SERVER.rs1.v4}:82 Tunnel; state SYN_RECV`;
    expect(around(82)).toEqual([
      [IN, CLIENT.v4, VIP.own, '6', '82', decision],
      [OUT, DIRECTOR.lan, SERVER.rs1.v4, '4', '82', decision],
    ]);
  });

  test('has packets that go no further, why, and what the client is told', () => {
    expect(around(83)).toEqual([
      [IN, CLIENT.v4, VIP.own, '6', '83', 'REJECT'],
      [OUT, VIP.own, CLIENT.v4, '1', '83', 'REJECT'],
    ]);
  });
});
