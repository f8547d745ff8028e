import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { AF_INET } from '../../src/core/address.ts';
import { HOOK } from '../../src/core/verdict.ts';
import { TCP_FLAG } from '../../src/core/wire/tcp.ts';
import { describeDecision } from '../../src/net/packet/trace/decision.ts';
import { parseTraceOption } from '../../src/net/packet/trace/option.ts';
import { PacketTrace, wallClockNs } from '../../src/net/packet/trace/packet-trace.ts';
import { ALL_FLAGS, address, destConfig, makeDirector, serviceConfig } from '../support/core.ts';
import { packetOf, type Segment } from '../support/core-packets.ts';
import { run } from '../support/processes.ts';
import { findProgram, isMissing } from '../support/programs.ts';

const scratch = mkdtempSync(join(tmpdir(), 'uipvs-e2e-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const FAMILIES = [
  { vip: '10.0.0.1', server: '10.2.0.1', client: '192.0.2.7' },
  { vip: '2001:db8::1', server: '2001:db8:2::1', client: '2001:db8:7::7' },
] as const;

test.skipIf(isMissing('tshark'))(
  'tshark shows packets as they came and left, with the decisions',
  async () => {
    const path = join(scratch, 'trace.pcapng');
    const trace = new PacketTrace(parseTraceOption(`${path},tcp`), 'uipvs test', expect.unreachable);
    const director = makeDirector();
    for (const { vip, server, client } of FAMILIES) {
      const service = serviceConfig({ vip });
      director.apply({ op: 'add-service', service, flagsMask: ALL_FLAGS }, 0);
      director.apply({ op: 'add-dest', service, dest: destConfig(1, { ip: server }) }, 0);
      const syn: Segment = {
        protocol: 6,
        src: address(client),
        sport: 40_000,
        dst: address(vip),
        dport: 80,
        flags: TCP_FLAG.SYN,
      };
      const packet = packetOf(syn);
      const verdict = director.packet(packet, 0, packet.length, HOOK.LOCAL_IN, 0, 0);
      const comment = describeDecision(director, verdict, director.packetConn);
      const left = packetOf({ ...syn, dst: address(server), dport: 8080 });
      trace.record(packet, 0, packet.length, 'in', comment, wallClockNs());
      trace.record(left, 0, left.length, 'out', '', wallClockNs());
    }
    trace.close();

    const fields = [
      'ip.src',
      'ip.dst',
      'ipv6.src',
      'ipv6.dst',
      'tcp.dstport',
      'frame.packet_flags_direction',
      'frame.comment',
    ];
    const { status, stdout, stderr } = await run([
      findProgram('tshark')!,
      '-r',
      path,
      '-o',
      'tcp.check_checksum:TRUE',
      '-T',
      'fields',
      '-E',
      'separator=,',
      ...[...fields, 'tcp.checksum.status', 'frame.encap_type'].flatMap((field) => ['-e', field]),
    ]);
    expect({ status, broken: /cut short|damaged|malformed|isn't a capture/i.test(stderr) }).toEqual({
      status: 0,
      broken: false,
    });
    const decision = (vip: string, server: string): string =>
      `TRANSMIT; service TCP ${vip}:80 rr; server ${server}:8080 Masq; state SYN_RECV`;
    expect(stdout.trimEnd().split('\n')).toEqual(
      FAMILIES.flatMap(({ vip, server, client }) => {
        const isV4 = address(vip).family === AF_INET;
        const ends = (from: string, to: string): string => (isV4 ? `${from},${to},,` : `,,${from},${to}`);
        const text = isV4 ? decision(vip, server) : decision(`[${vip}]`, `[${server}]`);
        // Checksum status 1 is good; encapsulation 7 is raw IP.
        return [
          `${ends(client, vip)},80,0x00000001,${text},1,7`,
          `${ends(client, server)},8080,0x00000002,,1,7`,
        ];
      }),
    );
  },
);
