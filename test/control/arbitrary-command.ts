import fc from 'fast-check';
import { type Address, AF_INET, AF_INET6, ipv4, ipv6 } from '../../src/core/address.ts';
import type { Command } from '../../src/core/commands.ts';
import type { DaemonConfig, DestConfig, DestKey, ServiceConfig, ServiceKey } from '../../src/core/config.ts';

const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const u16 = fc.integer({ min: 0, max: 65535 });
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });

const address: fc.Arbitrary<Address> = fc.oneof(
  word.map(ipv4),
  fc.tuple(word, word, word, word).map((words) => ipv6(...words)),
  word.map((last) => ipv6(0, 0, 0xffff, last)),
);

const serviceKey: fc.Arbitrary<ServiceKey> = fc.record({
  family: fc.constantFrom(AF_INET, AF_INET6),
  protocol: fc.nat(255),
  addr: address,
  port: u16,
  fwmark: u32,
});

const serviceConfig: fc.Arbitrary<ServiceConfig> = fc
  .record({
    scheduler: fc.string(),
    flags: u32,
    timeoutSec: u32,
    netmask: u32,
    pe: fc.string({ unit: 'grapheme' }),
  })
  .chain((rest) => serviceKey.map((key) => ({ ...key, ...rest })));

const destKey: fc.Arbitrary<DestKey> = fc.record({ addr: address, port: u16 });

const destConfig: fc.Arbitrary<DestConfig> = fc.record({
  addr: address,
  port: u16,
  weight: fc.nat(),
  method: fc.nat(7),
  upperThreshold: u32,
  lowerThreshold: u32,
  tunnelType: fc.nat(255),
  tunnelPort: u16,
  tunnelFlags: u16,
});

const daemon: fc.Arbitrary<DaemonConfig> = fc.record({
  state: fc.constantFrom(1, 2),
  interface: fc.string({ maxLength: 15 }),
  syncId: fc.nat(255),
  maxLen: u16,
  group: fc.option(address, { nil: undefined }),
  port: u16,
  ttl: fc.nat(255),
});

const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined });

/** One arbitrary for each kind of command. */
export const ARBITRARY_COMMANDS: { readonly [Op in Command['op']]: fc.Arbitrary<Command> } = {
  'add-service': fc.record({ op: fc.constant('add-service'), service: serviceConfig, flagsMask: u32 }),
  'edit-service': fc.record({ op: fc.constant('edit-service'), service: serviceConfig, flagsMask: u32 }),
  'delete-service': fc.record({ op: fc.constant('delete-service'), service: serviceKey }),
  'add-dest': fc.record({ op: fc.constant('add-dest'), service: serviceKey, dest: maybe(destConfig) }),
  'edit-dest': fc.record({ op: fc.constant('edit-dest'), service: serviceKey, dest: maybe(destConfig) }),
  'delete-dest': fc.record({ op: fc.constant('delete-dest'), service: serviceKey, dest: maybe(destKey) }),
  flush: fc.constant({ op: 'flush' }),
  zero: fc.record({ op: fc.constant('zero'), service: maybe(serviceKey) }),
  'set-timeouts': fc.record({
    op: fc.constant('set-timeouts'),
    timeouts: fc.record({ tcpSec: u32, tcpFinSec: u32, udpSec: u32 }),
  }),
  'start-daemon': fc.record({ op: fc.constant('start-daemon'), daemon }),
  'stop-daemon': fc.record({ op: fc.constant('stop-daemon'), state: fc.nat(2) }),
  'set-sysctl': fc.record({ op: fc.constant('set-sysctl'), name: fc.string(), value: fc.string() }),
};

export const anyCommand: fc.Arbitrary<Command> = fc.oneof(...Object.values(ARBITRARY_COMMANDS));
