import { describe, expect, test } from 'vitest';
import { PROTOCOL, SERVICE_FLAG, type ServiceConfig } from '../../src/core/config.ts';
import { callIdOf } from '../../src/core/sip.ts';
import { HOOK, VERDICT } from '../../src/core/verdict.ts';
import { ALL_FLAGS, address, destConfig, makeDirector, serviceConfig } from '../support/core.ts';
import { packetOf } from '../support/core-packets.ts';

const message = (callId: string): string =>
  `INVITE sip:b@x SIP/2.0\r\nVia: x\r\n${callId}\r\nCSeq: 1\r\n\r\n`;

describe('the Call-ID of a message', () => {
  test.each([
    { header: 'Call-ID: abc@host.example', id: 'abc@host.example' },
    { header: 'call-id:\t 1-2.3!%*_+`\'~()<>:\\"/[]?{}', id: '1-2.3!%*_+`\'~()<>:\\"/[]?{}' },
    { header: 'i: short', id: 'short' },
    { header: `Call-ID: ${'x'.repeat(255)}`, id: 'x'.repeat(255) },
    { header: `Call-ID: ${'x'.repeat(256)}`, id: undefined },
    { header: 'Call-ID: two words', id: undefined },
    { header: 'Call-ID:', id: undefined },
    { header: 'X-Call-ID: abc', id: undefined },
  ])('of "$header" is $id', ({ header, id }) => {
    expect(callIdOf(message(header))).toBe(id);
  });
});

describe('a service with the engine sip', () => {
  test('keeps a call on its server, and lists the Call-ID with the template', () => {
    const { director, invite } = setUp();
    const [first, again, other] = [invite('a@x', 4001), invite('a@x', 4002), invite('b@x', 4003)];
    expect(again.server).toBe(first.server);
    expect(other.server).not.toBe(first.server);
    const { text } = director.ask({ query: 'proc', name: 'ip_vs_conn', from: 0 }, 0);
    expect(text).toMatch(/UDP 0A010002 0000 .* NONE +\d+ sip a@x\n/);
    expect(text).toMatch(/UDP 0A010002 0FA1 .* UDP +\d+\n/);
  });

  test('drops messages without Call-ID', () => {
    const { director, invite } = setUp();
    expect(invite('two words', 4001).verdict).toBe(VERDICT.DROP);
    expect(director.drops().no_call_id).toBe(1);
    expect(director.connectionCount).toBe(0);
  });

  test('gives what a server sends first the address of the service, and its call a template', () => {
    const { director, send, invite } = setUp();
    const fromServer = { src: address('10.2.0.2'), sport: 5060, dst: address('10.1.0.2'), dport: 4001 };
    expect(send(fromServer, 'no sip', HOOK.FORWARD)).toBe(VERDICT.PASS);
    expect(send({ ...fromServer, sport: 5061 }, message('Call-ID: c@x'), HOOK.FORWARD)).toBe(VERDICT.PASS);
    expect(send(fromServer, message('Call-ID: c@x'), HOOK.FORWARD)).toBe(VERDICT.REPLY);
    const { conns } = director.life;
    expect(conns.vport(director.packetConn)).toBe(5060);
    expect(invite('c@x', 4001).server).toBe(2);
    expect(invite('c@x', 4002).server).toBe(2);
  });

  test('translates replies of one-packet calls too', () => {
    const { director, send, invite } = setUp({ flags: SERVICE_FLAG.PERSISTENT | SERVICE_FLAG.ONE_PACKET });
    const { server } = invite('a@x', 4001);
    const src = address(`10.2.0.${server}`);
    const reply = { src, sport: 5060, dst: address('10.1.0.2'), dport: 4001 };
    expect(send(reply, message('Call-ID: a@x'), HOOK.FORWARD)).toBe(VERDICT.REPLY);
    director.expire(0);
    expect(director.connectionCount).toBe(1);
  });
});

function setUp(service: Partial<ServiceConfig> = {}) {
  const director = makeDirector();
  const config = serviceConfig({
    protocol: PROTOCOL.UDP,
    port: 5060,
    flags: SERVICE_FLAG.PERSISTENT,
    timeoutSec: 300,
    pe: 'sip',
    ...service,
  });
  director.apply({ op: 'add-service', service: config, flagsMask: ALL_FLAGS }, 0);
  for (const n of [1, 2])
    director.apply({ op: 'add-dest', service: config, dest: destConfig(n, { port: 5060 }) }, 0);
  const send = (
    ends: Pick<Parameters<typeof packetOf>[0], 'src' | 'sport' | 'dst' | 'dport'>,
    payload: string,
    hook: 0 | 1,
  ): number => {
    const bytes = packetOf({ protocol: PROTOCOL.UDP, ...ends, payload });
    return director.packet(bytes, 0, bytes.length, hook, 0, 0);
  };
  const invite = (callId: string, sport: number) => {
    const ends = { src: address('10.1.0.2'), sport, dst: config.addr, dport: 5060 };
    const verdict = send(ends, message(`Call-ID: ${callId}`), HOOK.LOCAL_IN);
    const server =
      verdict === VERDICT.TRANSMIT ? director.target(director.packetConn).daddr.words[0] & 255 : 0;
    return { verdict, server };
  };
  return { director, send, invite };
}
