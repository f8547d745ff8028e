import { ipv4, ipv6 } from '../../src/core/address.ts';
import { PROTOCOL, type ServiceConfig } from '../../src/core/config.ts';
import { Director } from '../../src/core/director.ts';
import type { Host } from '../../src/core/host.ts';
import { emitIpv4, IPV4_HEADER_LEN, sealIpv4 } from '../../src/core/wire/ipv4.ts';
import { emitTcp, TCP_FLAG, TCP_HEADER_LEN } from '../../src/core/wire/tcp.ts';
import { SCHEDULERS } from '../../src/schedulers/registry.ts';

const VIP = 0x0a000001;
const FIRST_CLIENT = 0x0a010000;
const FIRST_SERVER = 0x0a020001;
const ALL_FLAGS = 0xffffffff;

/** A machine without interfaces; benches ask it nothing that matters. */
const nowhere: Host = {
  isLocal: () => false,
  isBroadcast: () => false,
  interfaceMtu: () => undefined,
  multicastProblem: () => undefined,
};

/** A seeded generator (mulberry32). @returns uniform in [0, 1) */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A director with one TCP service of `servers` masqueraded servers, IPv4 or IPv6. */
export function directorWith(scheduler: string, servers: number, connMax: number, isV6 = false) {
  const addr = isV6 ? ipv6(0xfd000000, 0, 0, 1) : ipv4(VIP);
  const director = new Director({
    schedulers: SCHEDULERS,
    random: seededRandom(1),
    host: nowhere,
    connMax,
    now: 0,
  });
  const service: ServiceConfig = {
    family: addr.family,
    protocol: PROTOCOL.TCP,
    addr,
    port: 80,
    fwmark: 0,
    scheduler,
    flags: 0,
    timeoutSec: 0,
    netmask: isV6 ? 128 : 0xffffffff,
    pe: '',
  };
  director.apply({ op: 'add-service', service, flagsMask: ALL_FLAGS }, 0);
  for (let n = 0; n < servers; n++) {
    const dest = {
      addr: isV6 ? ipv6(0xfd000002, 0, 0, n + 1) : ipv4(FIRST_SERVER + n),
      port: 8080,
      weight: 1 + (n & 3),
      method: 0,
      upperThreshold: 0,
      lowerThreshold: 0,
      tunnelType: 0,
      tunnelPort: 0,
      tunnelFlags: 0,
    };
    director.apply({ op: 'add-dest', service, dest }, 0);
  }
  return { director, service };
}

/** A flow of client `n`: 32,768 ports each. */
export function flowOf(service: ServiceConfig, n: number) {
  const host = n >> 15;
  const caddr = service.family === 2 ? ipv4(FIRST_CLIENT + host) : ipv6(0xfd000001, 0, 0, host);
  const { protocol, addr: vaddr, port: vport } = service;
  return { protocol, caddr, cport: 1024 + (n & 0x7fff), vaddr, vport, fwmark: 0 };
}

/** The acknowledgement of client `n` with `payload` bytes, as an IPv4 packet. */
export function ackOf(n: number, payload = 64): Uint8Array {
  const totalLength = IPV4_HEADER_LEN + TCP_HEADER_LEN + payload;
  const bytes = new Uint8Array(totalLength);
  emitIpv4(bytes, 0, {
    headerLength: IPV4_HEADER_LEN,
    tos: 0,
    totalLength,
    id: 1,
    fragment: 0,
    ttl: 64,
    protocol: PROTOCOL.TCP,
    checksum: 0,
    src: FIRST_CLIENT + (n >> 15),
    dst: VIP,
  });
  sealIpv4(bytes, 0);
  emitTcp(bytes, IPV4_HEADER_LEN, {
    srcPort: 1024 + (n & 0x7fff),
    dstPort: 80,
    sequence: 1,
    acknowledgement: 1,
    headerLength: TCP_HEADER_LEN,
    flags: TCP_FLAG.ACK,
    window: 1000,
    checksum: 0,
    urgent: 0,
  });
  return bytes;
}
