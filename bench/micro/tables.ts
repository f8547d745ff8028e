import { type Address, AF_INET, ipv4, ipv6 } from '../../src/core/address.ts';
import { PROTOCOL, type ServiceConfig } from '../../src/core/config.ts';
import type { Flow } from '../../src/core/flow.ts';
import { TCP_FLAG } from '../../src/core/wire/tcp.ts';
import { ALL_FLAGS, destConfig, makeDirector, serviceConfig } from '../../test/support/core.ts';
import { packetOf } from '../../test/support/core-packets.ts';

const FIRST_CLIENT = 0x0a010000;
const FIRST_SERVER = 0x0a020001;
const PORTS_PER_CLIENT = 1 << 15;
const PAYLOAD_BYTES = 64;

/** A director with one TCP service of `servers` masqueraded servers, IPv4 or IPv6. */
export function directorWith(scheduler: string, servers: number, connMax: number, isV6 = false) {
  const director = makeDirector({ connMax });
  const service = serviceConfig({ vip: isV6 ? 'fd00::1' : '10.0.0.1', scheduler });
  director.apply({ op: 'add-service', service, flagsMask: ALL_FLAGS }, 0);
  for (let n = 0; n < servers; n++) {
    const addr = isV6 ? ipv6(0xfd000002, 0, 0, n + 1) : ipv4(FIRST_SERVER + n);
    director.apply({ op: 'add-dest', service, dest: destConfig(1, { addr, weight: 1 + (n & 3) }) }, 0);
  }
  return { director, service };
}

/** A flow of client `n`: 32,768 ports each. */
export function flowOf({ family, protocol, addr, port }: ServiceConfig, n: number): Flow {
  const host = Math.floor(n / PORTS_PER_CLIENT);
  const caddr = family === AF_INET ? ipv4(FIRST_CLIENT + host) : ipv6(0xfd000001, 0, 0, host);
  const cport = 1024 + (n % PORTS_PER_CLIENT);
  return { protocol, caddr, cport, vaddr: addr, vport: port, fwmark: 0 };
}

/** A segment with 64 bytes of payload. @param flags bits of TCP_FLAG */
export const segmentOf = (
  src: Address,
  sport: number,
  dst: Address,
  dport: number,
  flags: number,
): Uint8Array =>
  packetOf({ protocol: PROTOCOL.TCP, src, sport, dst, dport, flags, payloadLength: PAYLOAD_BYTES });

/** An acknowledgement with 64 bytes of payload. */
export const ackOf = (src: Address, sport: number, dst: Address, dport: number): Uint8Array =>
  segmentOf(src, sport, dst, dport, TCP_FLAG.ACK);
