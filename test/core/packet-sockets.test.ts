import { describe, expect, test } from 'vitest';
import { METHOD, PROTOCOL } from '../../src/core/config.ts';
import { CONN_FLAG } from '../../src/core/conn-flags.ts';
import type { Director } from '../../src/core/director.ts';
import { EntryImage } from '../../src/core/entry-image.ts';
import type { Flow } from '../../src/core/flow.ts';
import { HOOK, type Hook, VERDICT } from '../../src/core/verdict.ts';
import { TCP_FLAG } from '../../src/core/wire/tcp.ts';
import { ALL_FLAGS, address, destConfig, makeDirector, sec, serviceConfig } from '../support/core.ts';
import { icmpPacketOf, packetOf, type Segment } from '../support/core-packets.ts';

const CLIENT = address('10.1.0.2');
const VIP = address('10.0.0.1');
const SERVER = address('10.2.0.1');
const FRAGMENTATION_NEEDED = 4;

const PROTOCOLS = [
  { name: 'TCP', protocol: PROTOCOL.TCP },
  { name: 'UDP', protocol: PROTOCOL.UDP },
] as const;

describe.each(PROTOCOLS)('a $name flow that sockets have opened', ({ protocol }) => {
  const flow: Flow = { protocol, caddr: CLIENT, cport: 4000, vaddr: VIP, vport: 80, fwmark: 0 };
  const request: Segment = {
    protocol,
    src: CLIENT,
    sport: 4000,
    dst: VIP,
    dport: 80,
    flags: TCP_FLAG.ACK,
  };
  const reply: Segment = { ...request, src: SERVER, sport: 8080, dst: CLIENT, dport: 4000 };

  test('keeps its packets on the host, uncounted, while sockets serve the service', () => {
    const director = directorWith(protocol);
    const { service } = director;
    director.core.setProxied(service, true);
    director.core.open(flow, 1, 60, 0);
    const before = director.core.totals().stats;

    expect(director.ask(packetOf(request))).toBe(VERDICT.PASS);
    expect(director.ask(packetOf(reply), HOOK.FORWARD)).toBe(VERDICT.PASS);
    const quoted = packetOf({ ...request, src: VIP, sport: 80, dst: CLIENT, dport: 4000 });
    const error = icmpPacketOf({ src: CLIENT, dst: VIP }, 3, FRAGMENTATION_NEEDED, quoted);
    expect(director.ask(error)).toBe(VERDICT.PASS);
    const errorOfServer = icmpPacketOf(
      { src: SERVER, dst: CLIENT },
      3,
      1,
      packetOf({ ...request, dst: SERVER, dport: 8080 }),
    );
    expect(director.ask(errorOfServer, HOOK.FORWARD)).toBe(VERDICT.PASS);
    expect(director.core.totals().stats).toEqual(before);
  });

  test('is told to other directors without a word of sockets', () => {
    const { core } = directorWith(protocol);
    const id = core.open(flow, 1, 60, 0);
    expect(core.life.conns.flags(id) & CONN_FLAG.PROXIED).toBe(CONN_FLAG.PROXIED);
    const image = new EntryImage();
    image.show(core.life.conns, id);
    expect(image.flags & CONN_FLAG.PROXIED).toBe(0);
  });
});

test('a TCP connection of sockets ends there after its service has come to packets; its port then begins a new one', () => {
  const { core, ask, service } = directorWith(PROTOCOL.TCP);
  core.setProxied(service, true);
  const flow: Flow = { protocol: PROTOCOL.TCP, caddr: CLIENT, cport: 4000, vaddr: VIP, vport: 80, fwmark: 0 };
  const id = core.open(flow, 1, 60, 0);
  core.setProxied(service, false);
  const segment: Segment = {
    protocol: PROTOCOL.TCP,
    src: CLIENT,
    sport: 4000,
    dst: VIP,
    dport: 80,
    flags: TCP_FLAG.ACK,
  };
  expect(ask(packetOf(segment))).toBe(VERDICT.PASS);
  expect(ask(packetOf({ ...segment, flags: TCP_FLAG.SYN }))).toBe(VERDICT.PASS);
  expect(ask(packetOf({ ...segment, sport: 4001, flags: TCP_FLAG.SYN }))).toBe(VERDICT.TRANSMIT);

  core.apply({ op: 'delete-dest', service, dest: destConfig(1) }, 0);
  expect(ask(packetOf(segment))).toBe(VERDICT.PASS);
  core.apply({ op: 'add-dest', service, dest: destConfig(1) }, 0);

  for (const direction of [0, 1] as const) core.segment(id, direction, 1, 1, 0, sec(1));
  core.segment(id, 0, 3, 1, 0, sec(1));
  expect(ask(packetOf({ ...segment, flags: TCP_FLAG.SYN }))).toBe(VERDICT.TRANSMIT);
  expect(ask(packetOf(segment))).toBe(VERDICT.TRANSMIT);
});

test('a UDP flow of sockets goes over to packets with its service', () => {
  const { core, ask, service } = directorWith(PROTOCOL.UDP);
  core.setProxied(service, true);
  const flow: Flow = { protocol: PROTOCOL.UDP, caddr: CLIENT, cport: 4000, vaddr: VIP, vport: 80, fwmark: 0 };
  core.open(flow, 1, 60, 0);
  core.setProxied(service, false);
  const datagram: Segment = { protocol: PROTOCOL.UDP, src: CLIENT, sport: 4000, dst: VIP, dport: 80 };
  expect(ask(packetOf(datagram))).toBe(VERDICT.TRANSMIT);
  expect(
    ask(packetOf({ ...datagram, src: SERVER, sport: 8080, dst: CLIENT, dport: 4000 }), HOOK.FORWARD),
  ).toBe(VERDICT.REPLY);
});

test('what is captured for another service opens no entry of one that sockets serve', () => {
  const { core, ask, service } = directorWith(PROTOCOL.TCP);
  core.setProxied(service, true);
  const syn: Segment = {
    protocol: PROTOCOL.TCP,
    src: CLIENT,
    sport: 4000,
    dst: VIP,
    dport: 80,
    flags: TCP_FLAG.SYN,
  };
  expect(ask(packetOf(syn))).toBe(VERDICT.PASS);
  expect(core.connectionCount).toBe(0);
});

function directorWith(protocol: number) {
  const core: Director = makeDirector();
  const service = serviceConfig({ protocol });
  core.apply({ op: 'add-service', service, flagsMask: ALL_FLAGS }, 0);
  core.apply({ op: 'add-dest', service, dest: destConfig(1, { method: METHOD.MASQ }) }, 0);
  const ask = (packet: Uint8Array, hook: Hook = HOOK.LOCAL_IN) =>
    core.packet(packet, 0, packet.length, hook, 0, sec(1));
  return { core, ask, service };
}
