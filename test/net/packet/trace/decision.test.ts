import { expect, test } from 'vitest';
import { HOOK } from '../../../../src/core/verdict.ts';
import { TCP_FLAG } from '../../../../src/core/wire/tcp.ts';
import { describeDecision } from '../../../../src/net/packet/trace/decision.ts';
import {
  ALL_FLAGS,
  address,
  destConfig,
  makeDirector,
  persistent,
  serviceConfig,
} from '../../../support/core.ts';
import { packetOf } from '../../../support/core-packets.ts';

const CASES = [
  {
    what: 'a new connection',
    service: serviceConfig({ scheduler: 'wrr' }),
    dest: destConfig(1),
    says: 'TRANSMIT; service TCP 10.0.0.1:80 wrr; server 10.2.0.1:8080 Masq; state SYN_RECV',
  },
  {
    what: 'a persistent service with tunnels',
    service: serviceConfig({ ...persistent(600), netmask: 0xffffff00 }),
    dest: destConfig(2, { method: 2, port: 80 }),
    says: 'TRANSMIT; service TCP 10.0.0.1:80 rr; server 10.2.0.2:80 Tunnel; state SYN_RECV; template 192.0.2.0 600 s',
  },
  {
    what: 'a service by firewall mark',
    service: serviceConfig({ fwmark: 7 }),
    dest: destConfig(3, { method: 3, port: 0 }),
    says: 'TRANSMIT; service FWM 7 rr; server 10.2.0.3:80 Route; state SYN_RECV',
  },
  {
    what: 'a service without servers',
    service: serviceConfig(),
    dest: undefined,
    says: 'REJECT',
  },
] as const;

test.each(CASES)('the comment tells of $what', ({ service, dest, says }) => {
  const director = makeDirector();
  director.apply({ op: 'add-service', service, flagsMask: ALL_FLAGS }, 0);
  if (dest) director.apply({ op: 'add-dest', service, dest }, 0);
  const packet = packetOf({
    protocol: 6,
    src: address('192.0.2.7'),
    sport: 40_000,
    dst: address('10.0.0.1'),
    dport: 80,
    flags: TCP_FLAG.SYN,
  });
  const verdict = director.packet(packet, 0, packet.length, HOOK.LOCAL_IN, service.fwmark, 0);
  expect(describeDecision(director, verdict, director.packetConn)).toBe(says);
});
