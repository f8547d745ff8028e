import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ControlServer } from '../../src/control/server.ts';
import { AF_INET6, ipv6 } from '../../src/core/address.ts';
import type { Status } from '../../src/core/commands.ts';
import { NetlinkSession } from '../../src/netlink/server.ts';
import { UsageError } from '../../src/verbs/arguments.ts';
import { overview, runHelp, verbHelp } from '../../src/verbs/help.ts';
import { runProc } from '../../src/verbs/proc.ts';
import { runStatus, statusText } from '../../src/verbs/status.ts';
import { runSysctl } from '../../src/verbs/sysctl.ts';
import { isVerb, VERBS, type VerbName } from '../../src/verbs/table.ts';
import { FakeDirector } from '../control/fake-director.ts';
import { tempDir } from '../control/temp-dir.ts';

const key = { family: AF_INET6, protocol: 17, addr: ipv6(0x20010db8, 0, 0, 1), port: 53, fwmark: 0 } as const;

const STATUS: Status = {
  pid: 42,
  version: '1.2.3',
  plane: 'auto',
  io: 'node',
  capture: '',
  footprint: [],
  problems: [],
  uptimeSec: 3 * 3600 + 125,
  services: [
    { service: key, plane: 'proxy', state: 'waiting: address' },
    { service: { ...key, protocol: 6 }, plane: 'packet', state: 'served' },
    { service: { ...key, protocol: 0, port: 0, fwmark: 7 }, plane: 'none', state: 'served' },
  ],
  connections: 12,
  connectionsMax: 1048576,
  counters: { no_dest: 3, udp_sockets_closed: 0 },
};

test('status shows the director, each service, and counters', () => {
  expect(statusText(STATUS, '/run/uipvs')).toBe(`\
uipvs 1.2.3, pid 42, up 3 h 2 min, in /run/uipvs
plane auto, loop node
connections 12 of 1048576
services 3
  UDP  [2001:db8::1]:53  proxy   waiting: address
  TCP  [2001:db8::1]:53  packet  served
  FWM  7 IPv6            none    served
counters
  no_dest             3
  udp_sockets_closed  0
`);
});

test('status shows which way packets are captured, where they are', () => {
  const capture = 'nft (asked for)';
  expect(statusText({ ...STATUS, capture }, '/x')).toContain('\ncapture nft (asked for)\nconnections 12 ');
});

test.each([
  { seconds: 0, says: '0 s' },
  { seconds: 59.9, says: '59 s' },
  { seconds: 60, says: '1 min' },
  { seconds: 3599, says: '59 min' },
  { seconds: 3600, says: '1 h 0 min' },
  { seconds: 2 * 86400 + 3700, says: '2 d 1 h' },
])('$seconds seconds up are shown as $says', ({ seconds, says }) => {
  expect(statusText({ ...STATUS, uptimeSec: seconds }, '/x')).toContain(`, up ${says}, `);
});

test('help has a line for each verb and a page for each', async () => {
  for (const name of Object.keys(VERBS) as VerbName[]) {
    expect(overview()).toMatch(new RegExp(`^  ${name} +${escaped(VERBS[name].summary)}$`, 'm'));
    expect(verbHelp(name)).toMatch(new RegExp(`^usage: uipvs ${name}\\b`));
    for (const [option] of VERBS[name].options) expect(verbHelp(name)).toContain(option);
  }
  expect(isVerb('toString')).toBe(false);
  await expect(runHelp(['nothing'], terminal())).rejects.toThrow("unknown verb 'nothing'; see 'uipvs help'");
});

describe('with a director', () => {
  let server: ControlServer;
  let director: FakeDirector;
  const before = process.env['UIPVS_RUNTIME_DIR'];

  beforeEach(async () => {
    const dir = tempDir();
    process.env['UIPVS_RUNTIME_DIR'] = dir;
    director = new FakeDirector();
    server = new ControlServer({
      path: join(dir, 'netlink.sock'),
      mode: 0o600,
      createSession: () => new NetlinkSession(director),
      warn: () => {},
    });
    await server.listen();
    const values = new Map([
      ['conntrack', '0'],
      ['sync_threshold', '3\t50'],
    ]);
    director.answers = {
      status: () => STATUS,
      sysctl: ({ name }) =>
        [...values]
          .filter(([n]) => name === undefined || n === name)
          .map(([n, value]) => ({ name: n, value })),
      proc: ({ from }) => ({ text: `slice ${from}\n`, next: from < 2 ? from + 1 : -1 }),
    };
  });

  afterEach(async () => {
    await server.close(0);
    if (before === undefined) delete process.env['UIPVS_RUNTIME_DIR'];
    else process.env['UIPVS_RUNTIME_DIR'] = before;
  });

  test('status --json is for programs', async () => {
    const out = terminal();
    expect(await runStatus(['--json'], out)).toBe(0);
    expect(JSON.parse(out.printed)).toEqual({
      version: 1,
      director: {
        version: '1.2.3',
        pid: 42,
        plane: 'auto',
        io: 'node',
        capture: '',
        footprint: [],
        problems: [],
        uptimeSec: 10925,
      },
      connections: { current: 12, max: 1048576 },
      services: [
        { protocol: 'udp', address: '2001:db8::1', port: 53, plane: 'proxy', state: 'waiting: address' },
        { protocol: 'tcp', address: '2001:db8::1', port: 53, plane: 'packet', state: 'served' },
        { fwmark: 7, family: 'inet6', plane: 'none', state: 'served' },
      ],
      counters: { no_dest: 3, udp_sockets_closed: 0 },
    });
  });

  test('proc prints all slices of a text', async () => {
    const out = terminal();
    expect(await runProc(['ip_vs_conn'], out)).toBe(0);
    expect(out.printed).toBe('slice 0\nslice 1\nslice 2\n');
  });

  test.each([
    { args: ['-a'], printed: 'net.ipv4.vs.conntrack = 0\nnet.ipv4.vs.sync_threshold = 3\t50\n' },
    { args: ['net.ipv4.vs.conntrack'], printed: 'net.ipv4.vs.conntrack = 0\n' },
    { args: ['-n', 'net/ipv4/vs/sync_threshold'], printed: '3\t50\n' },
  ])('sysctl $args prints $printed', async ({ args, printed }) => {
    const out = terminal();
    expect(await runSysctl(args, out)).toBe(0);
    expect(out).toMatchObject({ printed, complaints: [] });
  });

  test('sysctl sets with and without -w, and shows what is set then', async () => {
    const out = terminal();
    expect(await runSysctl(['net.ipv4.vs.conntrack = 1'], out)).toBe(0);
    expect(await runSysctl(['-w', 'net.ipv4.vs.sync_threshold=5 60'], out)).toBe(0);
    expect(director.applied).toEqual([
      { op: 'set-sysctl', name: 'conntrack', value: '1' },
      { op: 'set-sysctl', name: 'sync_threshold', value: '5 60' },
    ]);
    expect(out.printed).toContain('net.ipv4.vs.conntrack = ');
  });

  test('sysctl tells each key that fails and goes on with the others', async () => {
    const out = terminal();
    director.refusal = 'EINVAL';
    const keys = [
      'net.ipv4.vs.conntrack=x',
      'net.ipv4.vs.nope',
      'net.ipv4.ip_forward',
      'net.ipv4.vs.conntrack',
    ];
    expect(await runSysctl(keys, out)).toBe(1);
    expect(out.complaints).toEqual([
      "sysctl: cannot set 'net.ipv4.vs.conntrack' to 'x': refused with 22",
      "sysctl: no setting 'net.ipv4.vs.nope'",
      "sysctl: no setting 'net.ipv4.ip_forward'",
    ]);
    expect(out.printed).toBe('net.ipv4.vs.conntrack = 0\n');
  });
});

test.each([
  { verb: 'sysctl', run: runSysctl, args: [] },
  { verb: 'sysctl', run: runSysctl, args: ['-a', 'net.ipv4.vs.conntrack'] },
  { verb: 'sysctl', run: runSysctl, args: ['-w', 'net.ipv4.vs.conntrack'] },
  { verb: 'sysctl', run: runSysctl, args: ['--bogus'] },
  { verb: 'status', run: runStatus, args: ['more'] },
  { verb: 'proc', run: runProc, args: [] },
  { verb: 'proc', run: runProc, args: ['version'] },
])('$verb $args is a wrong command line', async ({ verb, run, args }) => {
  const result = run(args, terminal());
  await expect(result).rejects.toThrow(UsageError);
  await expect(result).rejects.toThrow(`${verb}: `);
});

const escaped = (text: string): string => text.replace(/[.*+?]/g, '\\$&');

function terminal() {
  const words = {
    printed: '',
    complaints: [] as string[],
    async print(text: string): Promise<void> {
      words.printed += text;
    },
    complain(line: string): void {
      words.complaints.push(line);
    },
  };
  return words;
}
