import { describe, expect, test } from 'vitest';
import type { Command } from '../../src/core/commands.ts';
import type { Director } from '../../src/core/director.ts';
import { ALL_FLAGS, destConfig, makeDirector, persistent, serviceConfig } from '../support/core.ts';

const SERVICE = serviceConfig();
const V6 = serviceConfig({ vip: 'fd00::1' });
const ADD: Command = { op: 'add-service', service: SERVICE, flagsMask: ALL_FLAGS };
const addDest = (n: number, overrides: Parameters<typeof destConfig>[1] = {}): Command => ({
  op: 'add-dest',
  service: SERVICE,
  dest: destConfig(n, overrides),
});

const REFUSALS: readonly { when: string; before: readonly Command[]; command: Command; errno: string }[] = [
  { when: 'the service exists', before: [ADD], command: ADD, errno: 'EEXIST' },
  { when: 'the scheduler is unknown', before: [], command: service({ scheduler: 'bogus' }), errno: 'ENOENT' },
  { when: 'the scheduler is empty', before: [], command: service({ scheduler: '' }), errno: 'ENOENT' },
  {
    when: 'the persistence engine is unknown',
    before: [],
    command: service({ pe: 'bogus' }),
    errno: 'ENOENT',
  },
  {
    when: 'an IPv6 prefix is 0',
    before: [],
    command: service({ vip: 'fd00::1', netmask: 0 }),
    errno: 'EINVAL',
  },
  {
    when: 'an IPv6 prefix is 129',
    before: [],
    command: service({ vip: 'fd00::1', netmask: 129 }),
    errno: 'EINVAL',
  },
  {
    when: 'the edited service is missing',
    before: [],
    command: { ...ADD, op: 'edit-service' },
    errno: 'ESRCH',
  },
  {
    when: 'the deleted service is missing',
    before: [],
    command: { op: 'delete-service', service: SERVICE },
    errno: 'ESRCH',
  },
  {
    when: 'the zeroed service is missing',
    before: [],
    command: { op: 'zero', service: SERVICE },
    errno: 'ESRCH',
  },
  { when: 'a server has no service', before: [], command: addDest(1), errno: 'ESRCH' },
  {
    when: 'a malformed server has no service',
    before: [],
    command: { op: 'add-dest', service: SERVICE, dest: undefined },
    errno: 'ESRCH',
  },
  {
    when: 'a server is malformed',
    before: [ADD],
    command: { op: 'add-dest', service: SERVICE, dest: undefined },
    errno: 'EINVAL',
  },
  { when: 'the server exists', before: [ADD, addDest(1)], command: addDest(1), errno: 'EEXIST' },
  { when: 'a weight is negative', before: [ADD], command: addDest(1, { weight: -1 }), errno: 'ERANGE' },
  {
    when: 'the lower threshold is above the upper',
    before: [ADD],
    command: addDest(1, { lowerThreshold: 1 }),
    errno: 'ERANGE',
  },
  {
    when: 'a gue tunnel has no port',
    before: [ADD],
    command: addDest(1, { tunnelType: 1 }),
    errno: 'EINVAL',
  },
  { when: 'a server is 0.0.0.0', before: [ADD], command: addDest(1, { ip: '0.0.0.0' }), errno: 'EINVAL' },
  {
    when: 'a server is a multicast group',
    before: [ADD],
    command: addDest(1, { ip: '224.0.0.1' }),
    errno: 'EINVAL',
  },
  {
    when: 'a masqueraded server is of another family',
    before: [ADD],
    command: addDest(1, { ip: 'fd00::2' }),
    errno: 'EINVAL',
  },
  {
    when: 'the edited server is missing',
    before: [ADD],
    command: { ...addDest(1), op: 'edit-dest' } as Command,
    errno: 'ENOENT',
  },
  {
    when: 'the deleted server is missing',
    before: [ADD],
    command: { op: 'delete-dest', service: SERVICE, dest: destConfig(1) },
    errno: 'ENOENT',
  },
  {
    when: 'a setting is unknown',
    before: [],
    command: { op: 'set-sysctl', name: 'bogus', value: '1' },
    errno: 'ENOENT',
  },
  {
    when: 'a setting is out of range',
    before: [],
    command: { op: 'set-sysctl', name: 'sync_retries', value: '4' },
    errno: 'EINVAL',
  },
  {
    when: 'a timeout is negative',
    before: [],
    command: { op: 'set-timeouts', timeouts: { tcpSec: 1, tcpFinSec: -1, udpSec: 1 } },
    errno: 'EINVAL',
  },
  { when: 'no daemon runs', before: [], command: { op: 'stop-daemon', state: 1 }, errno: 'ESRCH' },
];

describe('a change is refused, and nothing is changed, when', () => {
  test.each(REFUSALS)('$when: $errno', ({ before, command, errno }) => {
    const director = makeDirector();
    for (const each of before) director.apply(each, 0);
    const untouched = everything(director);
    expect(() => director.apply(command, 0)).toThrow(expect.objectContaining({ errno }));
    expect(everything(director)).toEqual(untouched);
  });
});

describe('the inverse of a change brings the configuration back:', () => {
  const before: readonly Command[] = [
    ADD,
    addDest(1),
    addDest(2, { weight: 7, upperThreshold: 9, lowerThreshold: 2 }),
    { op: 'add-service', service: V6, flagsMask: ALL_FLAGS },
  ];
  const changes: readonly Command[] = [
    { op: 'add-service', service: serviceConfig({ port: 81 }), flagsMask: ALL_FLAGS },
    {
      op: 'edit-service',
      service: serviceConfig({ scheduler: 'wrr', ...persistent(60) }),
      flagsMask: ALL_FLAGS,
    },
    { op: 'delete-service', service: SERVICE },
    { op: 'flush' },
    addDest(3),
    { op: 'edit-dest', service: SERVICE, dest: destConfig(2, { weight: 1 }) },
    { op: 'delete-dest', service: SERVICE, dest: destConfig(2) },
    { op: 'set-timeouts', timeouts: { tcpSec: 5, tcpFinSec: 6, udpSec: 7 } },
    { op: 'set-sysctl', name: 'sync_threshold', value: '4 60' },
    {
      op: 'start-daemon',
      daemon: { state: 1, interface: 'lo', syncId: 3, maxLen: 0, group: undefined, port: 0, ttl: 0 },
    },
  ];

  test.each(changes.map((command) => ({ op: command.op, command })))('$op', ({ command }) => {
    const director = makeDirector();
    for (const each of before) director.apply(each, 0);
    const untouched = everything(director);
    const inverse = director.inverse(command);
    director.apply(command, 0);
    expect(everything(director)).not.toEqual(untouched);
    for (const each of inverse) director.apply(each, 0);
    expect(sorted(director)).toEqual(sortedOf(untouched));
  });
});

function service(overrides: Parameters<typeof serviceConfig>[0]): Command {
  return { op: 'add-service', service: serviceConfig(overrides), flagsMask: ALL_FLAGS };
}

function everything(director: Director) {
  const services = director.ask({ query: 'services' }, 0);
  return {
    services: services.map((each) => ({ each, dests: director.ask({ query: 'dests', service: each }, 0) })),
    timeouts: director.ask({ query: 'timeouts' }, 0),
    sysctls: director.ask({ query: 'sysctl', name: undefined }, 0),
    daemons: director.ask({ query: 'daemons' }, 0),
  };
}

const sorted = (director: Director) => sortedOf(everything(director));

/** The order between services carries no meaning, that of servers does; one edited or deleted comes back first. */
function sortedOf(all: ReturnType<typeof everything>) {
  const dests = all.services.map(({ each, dests: list }) => ({
    each,
    dests: list.toSorted((a, b) => a.addr.words[0] - b.addr.words[0]),
  }));
  return { ...all, services: dests.toSorted((a, b) => a.each.family - b.each.family) };
}
