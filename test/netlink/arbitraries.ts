import fc from 'fast-check';
import { type Address, AF_INET, ipv4, ipv6 } from '../../src/core/address.ts';
import type { Command } from '../../src/core/commands.ts';
import type {
  DaemonConfig,
  DestConfig,
  DestEntry,
  ServiceConfig,
  ServiceEntry,
  ServiceKey,
  StatsSnapshot,
} from '../../src/core/config.ts';

const u8 = fc.integer({ min: 0, max: 255 });
const u16 = fc.integer({ min: 0, max: 65535 });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const int32 = fc.integer();
const counter = fc.maxSafeNat();

const address: fc.Arbitrary<Address> = fc.oneof(
  int32.map(ipv4),
  fc.tuple(int32, int32, int32, int32).map((words) => ipv6(...words)),
);

/** Text of at most `maxBytes` bytes of UTF-8 without NUL. */
const name = (maxBytes: number): fc.Arbitrary<string> =>
  fc
    .string({ unit: 'binary', maxLength: maxBytes })
    .filter((text) => !text.includes('\0') && Buffer.byteLength(text) <= maxBytes);

/** With a mark the rest of the key is fixed. */
export const serviceKey: fc.Arbitrary<ServiceKey> = fc
  .record({ addr: address, protocol: u16, port: u16, fwmark: fc.oneof(fc.constant(0), u32) })
  .map(({ addr, protocol, port, fwmark }) => {
    if (fwmark === 0) return { family: addr.family, protocol, addr, port, fwmark };
    const none = addr.family === AF_INET ? ipv4(0) : ipv6(0, 0, 0, 0);
    return { family: addr.family, protocol: 6, addr: none, port: 0, fwmark };
  });

const serviceConfig: fc.Arbitrary<ServiceConfig> = fc
  .tuple(
    serviceKey,
    fc.record({ scheduler: name(15), flags: u32, timeoutSec: u32, netmask: u32, pe: name(16) }),
  )
  .map(([key, settings]) => ({ ...key, ...settings }));

const destConfig: fc.Arbitrary<DestConfig> = fc.record({
  addr: address,
  port: u16,
  weight: int32,
  method: fc.integer({ min: 0, max: 7 }),
  upperThreshold: u32,
  lowerThreshold: u32,
  tunnelType: u8,
  tunnelPort: u16,
  tunnelFlags: u16,
});

const stats: fc.Arbitrary<StatsSnapshot> = fc.record({
  conns: counter,
  inPackets: counter,
  outPackets: counter,
  inBytes: counter,
  outBytes: counter,
  cps: counter,
  inPps: counter,
  outPps: counter,
  inBps: counter,
  outBps: counter,
});

/** A service as the core lists it: never without the name of a scheduler, HASHED not among its flags. */
export const serviceEntry: fc.Arbitrary<ServiceEntry> = fc
  .tuple(serviceConfig, stats)
  .map(([config, counted]) => ({
    ...config,
    scheduler: config.scheduler || 'none',
    flags: (config.flags & ~2) >>> 0,
    stats: counted,
  }));

export const destEntry: fc.Arbitrary<DestEntry> = fc
  .tuple(destConfig, fc.record({ active: u32, inactive: u32, persistent: u32, stats }))
  .map(([config, counted]) => ({ ...config, ...counted }));

export const daemonConfig: fc.Arbitrary<DaemonConfig> = fc.record({
  state: u32,
  interface: name(15),
  syncId: u32,
  maxLen: u16,
  group: fc.option(address, { nil: undefined }),
  port: u16,
  ttl: u8,
});

const dest = fc.option(destConfig, { nil: undefined });
const destKey = fc.option(fc.record({ addr: address, port: u16 }), { nil: undefined });
const timeouts = fc.record({ tcpSec: int32, tcpFinSec: int32, udpSec: int32 });

export const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ op: fc.constant('add-service'), service: serviceConfig, flagsMask: u32 }),
  fc.record({ op: fc.constant('edit-service'), service: serviceConfig, flagsMask: u32 }),
  fc.record({ op: fc.constant('delete-service'), service: serviceKey }),
  fc.record({ op: fc.constant('add-dest'), service: serviceKey, dest }),
  fc.record({ op: fc.constant('edit-dest'), service: serviceKey, dest }),
  fc.record({ op: fc.constant('delete-dest'), service: serviceKey, dest: destKey }),
  fc.record({ op: fc.constant('flush') }),
  fc.record({ op: fc.constant('zero'), service: fc.option(serviceKey, { nil: undefined }) }),
  fc.record({ op: fc.constant('set-timeouts'), timeouts }),
  fc.record({ op: fc.constant('start-daemon'), daemon: daemonConfig }),
  fc.record({ op: fc.constant('stop-daemon'), state: u32 }),
  fc.record({ op: fc.constant('set-sysctl'), name: name(127), value: name(1023) }),
);
