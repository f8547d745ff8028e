import { expect, test } from 'vitest';
import { AF_INET, AF_INET6 } from '../../src/core/address.ts';
import { PROTOCOL, SERVICE_FLAG, type ServiceConfig } from '../../src/core/config.ts';
import { foldAddress, goldenHash, hashedPort } from '../../src/core/hash.ts';
import { address, flowTo, serviceConfig } from '../support/core.ts';

test.each([
  { ip: '10.1.2.3', family: AF_INET, word: 0x0a010203 },
  { ip: '255.0.0.1', family: AF_INET, word: 0xff000001 | 0 },
  { ip: 'fd00:1::ff', family: AF_INET6, word: (0xfd000001 ^ 0xff) | 0 },
  { ip: '1:2:3:4:5:6:7:8', family: AF_INET6, word: 0x00010002 ^ 0x00030004 ^ 0x00050006 ^ 0x00070008 },
  { ip: '1:2:3:4:5:6:7:8', family: AF_INET, word: 0x00010002 },
  { ip: '10.1.2.3', family: AF_INET6, word: 0x0a010203 },
] as const)('$ip folds to $word in a service of family $family', ({ ip, family, word }) => {
  expect(foldAddress(address(ip), family)).toBe(word);
});

test.each([0, 1, 255, 0x0a010203, 0xffffffff])(
  'the upper bits of %i times the constant are its hash',
  (word) => {
    const product = (BigInt(word) * 0x61c88647n) & 0xffffffffn;
    for (const bits of [1, 8, 10, 31]) {
      expect(goldenHash(word | 0, bits)).toBe(Number(product >> BigInt(32 - bits)));
    }
  },
);

test.each([
  { protocol: PROTOCOL.TCP, flags: SERVICE_FLAG.SCHED_2, port: 4000 },
  { protocol: PROTOCOL.UDP, flags: SERVICE_FLAG.SCHED_2, port: 4000 },
  { protocol: PROTOCOL.SCTP, flags: SERVICE_FLAG.SCHED_2 | SERVICE_FLAG.SCHED_1, port: 4000 },
  { protocol: PROTOCOL.IP, flags: SERVICE_FLAG.SCHED_2, port: 0 },
  { protocol: PROTOCOL.TCP, flags: SERVICE_FLAG.SCHED_1 | SERVICE_FLAG.SCHED_3, port: 0 },
])('of protocol $protocol under flags $flags, $port is hashed', ({ protocol, flags, port }) => {
  const service: ServiceConfig = serviceConfig({ protocol });
  expect(hashedPort(flowTo(service, 4000), flags)).toBe(port);
});
