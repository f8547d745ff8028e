import { setTimeout as sleep } from 'node:timers/promises';
import { ipv6 } from '../../src/core/address.ts';
import type { Command } from '../../src/core/commands.ts';
import { DAEMON_STATE, METHOD, PROTOCOL } from '../../src/core/config.ts';
import { Director } from '../../src/core/director.ts';
import { HOOK } from '../../src/core/verdict.ts';
import { TCP_FLAG } from '../../src/core/wire/tcp.ts';
import { monotonicNow } from '../../src/net/clock.ts';
import { SystemHost } from '../../src/net/system-host.ts';
import { SCHEDULERS } from '../../src/schedulers/registry.ts';
import { SyncService } from '../../src/sync/sync-service.ts';
import { ALL_FLAGS, address, destConfig, persistent, serviceConfig } from './core.ts';
import { packetOf, type Segment } from './core-packets.ts';

/*
 * A director without a plane that takes hand-made packets and tells another director of its connections:
 * sync-master-program INTERFACE FORMAT GROUP. It prints its entries when all was sent.
 */
const [, , device = '', format = '1', group = '224.0.0.81'] = process.argv;
/** Longer than records wait for others. */
const FLUSH_MS = 3500;
const { SYN, ACK, FIN, RST } = TCP_FLAG;

const director = new Director({
  schedulers: SCHEDULERS,
  random: () => 0.5,
  host: new SystemHost(),
  connMax: 1000,
  now: monotonicNow(),
});
const log = (line: string): void => void process.stderr.write(`${line}\n`);
const sync = new SyncService({ director, now: monotonicNow, log });

configure();
play();
await sleep(FLUSH_MS);
process.stdout.write(director.ask({ query: 'proc', name: 'ip_vs_conn', from: 0 }, monotonicNow()).text);
log(`sent ${sync.counters()['sync_messages_sent']} errors ${sync.counters()['sync_send_errors']}`);
sync.stop();

function configure(): void {
  const services = [
    { service: serviceConfig(), dests: [destConfig(1, { port: 80 })] },
    { service: serviceConfig({ port: 443, ...persistent(300) }), dests: [destConfig(1, { port: 443 })] },
    { service: serviceConfig({ port: 8080 }), dests: [destConfig(2, { port: 8080, method: METHOD.ROUTE })] },
    {
      service: serviceConfig({
        protocol: PROTOCOL.UDP,
        port: 53,
        netmask: 0xffffff00,
        ...persistent(200),
      }),
      dests: [destConfig(1, { port: 53 })],
    },
    {
      service: serviceConfig({ vip: 'fd00::1', netmask: 64, ...persistent(100) }),
      dests: [destConfig(1, { addr: ipv6(0xfd000002, 0, 0, 1), port: 80 })],
    },
    {
      service: serviceConfig({ fwmark: 9, port: 0, protocol: 0, vip: '0.0.0.0', ...persistent(60) }),
      dests: [destConfig(1, { port: 0 })],
    },
  ];
  for (const { service, dests } of services) {
    apply({ op: 'add-service', service, flagsMask: ALL_FLAGS });
    for (const dest of dests) apply({ op: 'add-dest', service, dest });
  }
  apply({ op: 'set-sysctl', name: 'sync_threshold', value: '1 3' });
  apply({ op: 'set-sysctl', name: 'sync_version', value: format });
  const daemon = { syncId: 7, maxLen: 0, group: address(group), port: 0, ttl: 0 };
  apply({ op: 'start-daemon', daemon: { ...daemon, state: DAEMON_STATE.MASTER, interface: device } });
}

function apply(command: Command): void {
  director.apply(command, monotonicNow());
  sync.follow(command);
}

function play(): void {
  connection(20_001, 80, [SYN, ACK, ACK, ACK, ACK]);
  connection(20_002, 80, [SYN, ACK, ACK, FIN | ACK, ACK]);
  connection(20_003, 80, [SYN, ACK, RST]);
  connection(20_004, 443, [SYN, ACK, ACK, ACK]);
  connection(20_005, 8080, [SYN, ACK, ACK, ACK]);
  connection(20_006, 8080, [SYN, ACK, FIN | ACK, ACK]);
  connection(20_007, 80, [SYN, ACK, ACK, ACK], 'fd00:1::1', 'fd00::1');
  for (let n = 0; n < 3; n++) datagram(53, 0);
  for (let n = 0; n < 3; n++) datagram(5353, 9);
}

/** Packets of a client; the server answers the first and the last FIN. */
function connection(
  cport: number,
  vport: number,
  flags: readonly number[],
  client = '10.1.0.1',
  vip = '10.0.0.1',
): void {
  const [src, dst] = [address(client), address(vip)];
  for (const each of flags) {
    take({ protocol: PROTOCOL.TCP, src, sport: cport, dst, dport: vport, flags: each }, 0);
    if (vport === 8080) continue;
    const server = address(client.includes(':') ? 'fd00:2::1' : '10.2.0.1');
    const answer = each === SYN ? SYN | ACK : (each & FIN) !== 0 ? FIN | ACK : 0;
    if (answer !== 0)
      take({ protocol: PROTOCOL.TCP, src: server, sport: vport, dst: src, dport: cport, flags: answer }, 0);
  }
}

function datagram(vport: number, fwmark: number): void {
  const [src, dst] = [address('10.1.0.1'), address('10.0.0.1')];
  take({ protocol: PROTOCOL.UDP, src, sport: 30_000, dst, dport: vport }, fwmark);
}

function take(segment: Segment, fwmark: number): void {
  const packet = packetOf(segment);
  const isReply = segment.src.words[0] === address('10.2.0.1').words[0] || segment.sport < 1024;
  director.packet(packet, 0, packet.length, isReply ? HOOK.FORWARD : HOOK.LOCAL_IN, fwmark, monotonicNow());
}
