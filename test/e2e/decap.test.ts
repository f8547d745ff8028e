import type { ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { lacksPackets, NetworkNamespaces } from '../support/network-namespaces.ts';
import { endProcess, Processes, until } from '../support/processes.ts';
import { findProgram, isMissing } from '../support/programs.ts';

const UIPVS = fileURLToPath(new URL('../../bin/uipvs', import.meta.url));
const SENDER = fileURLToPath(new URL('../../dist/test/support/tunnel-sender.js', import.meta.url));

const CLIENT = { ipv4: '10.77.1.1', ipv6: 'fd77:1::1' } as const;
const SERVER = { ipv4: '10.77.1.2', ipv6: 'fd77:1::2' } as const;
const VIP = { ipv4: '10.77.9.9', ipv6: 'fd77:9::9' } as const;
const PORT = 80;
type Family = keyof typeof VIP;

const FAMILIES: readonly Family[] = ['ipv4', 'ipv6'];
const ALL = FAMILIES.flatMap((inner) => FAMILIES.map((outer) => ({ inner, outer })));
const MIXED = ALL.filter(({ inner, outer }) => inner !== outer);
const CASES = [
  { form: 'ipip', families: ALL },
  { form: 'ipip-unfinished', families: MIXED },
  { form: 'gre', families: MIXED },
  { form: 'gre-fields', families: ALL },
  { form: 'gue', families: ALL },
  { form: 'gue-remcsum', families: MIXED },
].flatMap(({ form, families }) => families.map((each) => ({ form, ...each })));

const skipped = lacksPackets() || isMissing('socat', 'nc', 'md5sum', 'sysctl');
const namespaces = new NetworkNamespaces();
const servers = new Processes();
const perTest = new Processes();

beforeAll(async () => {
  if (skipped) return;
  await namespaces.add('client', 'server');
  await namespaces.join(
    { namespace: 'client', device: 'c0', addresses: [`${CLIENT.ipv4}/24`, `${CLIENT.ipv6}/64`] },
    { namespace: 'server', device: 's0', addresses: [`${SERVER.ipv4}/24`, `${SERVER.ipv6}/64`] },
  );
  await namespaces.ip('server', `addr add ${VIP.ipv4}/32 dev lo`);
  await namespaces.ip('server', `addr add ${VIP.ipv6}/128 dev lo`);
  for (const listen of [`TCP4-LISTEN:${PORT}`, `TCP6-LISTEN:${PORT},ipv6only`]) {
    const socat = [findProgram('socat')!, `${listen},fork,reuseaddr`, 'SYSTEM:echo $SOCAT_PEERADDR; md5sum'];
    servers.start(namespaces.inside('server', ...socat));
  }
});
afterEach(() => perTest.end());
afterAll(async () => {
  await perTest.end();
  await servers.end();
  await namespaces.remove();
});

describe.skipIf(skipped)('uipvs decap', () => {
  test.each(CASES)(
    'lets the server take $inner in $form over $outer, and answer the client directly',
    async ({ form, inner, outer }) => {
      const decap = await startDecap('--tunnel', 'ipip,gue,gre');
      await startSender(form, SERVER[outer]);
      await namespaces.ip('client', `route add ${VIP[inner]} dev enc0 src ${CLIENT[inner]}`);

      const data = randomBytes(300_000).toString('base64');
      const { status, stdout } = await namespaces.run(
        'client',
        ['nc', '-N', '-w', '10', VIP[inner], String(PORT)],
        data,
      );
      const [peer, sum] = stdout.split('\n');
      expect(status).toBe(0);
      expect(peer).toBe(inner === 'ipv4' ? CLIENT.ipv4 : '[fd77:0001:0000:0000:0000:0000:0000:0001]');
      expect(sum).toBe(`${createHash('md5').update(data).digest('hex')}  -`);

      await endProcess(decap.child, 'SIGTERM');
      expect(decap.child.exitCode).toBe(0);
      expect(decap.stdout).toMatch(/^decap0: ipip, gue:6080, gre\n\d{3,} packets unwrapped/);
      expect(await namespaces.ip('server', '-o link')).not.toContain('decap0');
    },
  );

  test('works where reverse paths are checked loosely, and refuses where strictly', async () => {
    await namespaces.sysctl('server', 'net.ipv4.conf.all.rp_filter=2');
    try {
      await startDecap('--tunnel', 'ipip', '--dev', 'tunnels', '--mtu', '1400');
      expect(await namespaces.ip('server', '-o link show tunnels')).toContain(' mtu 1400 ');
      await startSender('ipip', SERVER.ipv4);
      await namespaces.ip('client', `route add ${VIP.ipv4} dev enc0 src ${CLIENT.ipv4}`);
      const { stdout } = await namespaces.run(
        'client',
        ['nc', '-N', '-w', '10', VIP.ipv4, String(PORT)],
        'x',
      );
      expect(stdout).toContain(`${CLIENT.ipv4}\n`);

      await namespaces.sysctl('server', 'net.ipv4.conf.all.rp_filter=1');
      const refused = await namespaces.run('server', [process.execPath, UIPVS, 'decap', '--tunnel', 'ipip']);
      expect(refused).toMatchObject({
        status: 1,
        stdout: '',
        stderr:
          'uipvs: decap: receive from tunnels: net.ipv4.conf.all.rp_filter is 1, which drops all that comes out of them; set it to 0 or 2\n',
      });
      expect(await namespaces.ip('server', '-o link')).not.toContain('decap0');
    } finally {
      await namespaces.sysctl('server', 'net.ipv4.conf.all.rp_filter=0');
    }
  });

  test('goes on after empty and senseless packets, and counts them', async () => {
    const decap = await startDecap('--tunnel', 'ipip,gue,gre');
    const targets = ['IP4-SENDTO:10.77.1.2', 'IP6-SENDTO:[fd77:1::2]'].flatMap((to) =>
      [4, 41, 47].map((protocol) => `${to}:${protocol}`),
    );
    for (const target of [...targets, 'UDP4-SENDTO:10.77.1.2:6080', 'UDP6-SENDTO:[fd77:1::2]:6080']) {
      for (const size of [1, 500]) {
        await namespaces.run('client', [
          findProgram('socat')!,
          '-u',
          `SYSTEM:head -c ${size} /dev/urandom`,
          `${target}`,
        ]);
      }
    }
    for (const server of Object.values(SERVER)) {
      const { status, stderr } = await namespaces.run('client', [process.execPath, SENDER, 'empty', server]);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    }
    await startSender('gue', SERVER.ipv6);
    await namespaces.ip('client', `route add ${VIP.ipv4} dev enc0 src ${CLIENT.ipv4}`);
    const { stdout } = await namespaces.run('client', ['nc', '-N', '-w', '10', VIP.ipv4, String(PORT)], 'x');
    expect(stdout).toContain(CLIENT.ipv4);
    await endProcess(decap.child, 'SIGTERM');
    expect(decap.stdout).toMatch(/\d+ packets unwrapped.*, \d+ malformed/);
    expect(decap.child.exitCode).toBe(0);
  });

  test('ends with status 1 when its device is deleted', async () => {
    const decap = await startDecap('--tunnel', 'gue:7070');
    await namespaces.ip('server', 'link del decap0');
    await until('it ends', () => decap.child.exitCode !== null);
    expect(decap.child.exitCode).toBe(1);
    expect(decap.stderr).toBe('uipvs: decap: device decap0 is lost: EBADFD\n');
  });

  test.each([
    [
      'a device name that is taken',
      ['--tunnel', 'gre', '--dev', 's0'],
      'make device s0: EBUSY; the name is taken',
    ],
    [
      'a port that is taken',
      ['--tunnel', 'gue:7071'],
      'receive gue:7071 over IPv4: bind: EADDRINUSE; another program, or the kernel itself, has the port',
    ],
  ])('tells of %s, and leaves nothing behind', async (_what, args, line) => {
    const socat = perTest.start(
      namespaces.inside('server', findProgram('socat')!, '-u', 'UDP4-RECV:7071', 'STDOUT'),
    );
    await until('the port is taken', async () => {
      const { stdout } = await namespaces.run('server', ['cat', '/proc/net/udp']);
      return stdout.includes(`:${(7071).toString(16).toUpperCase()} `);
    });
    const result = await namespaces.run('server', [process.execPath, UIPVS, 'decap', ...args]);
    expect(result).toMatchObject({ status: 1, stdout: '', stderr: `uipvs: decap: ${line}\n` });
    expect(await namespaces.ip('server', '-o link')).not.toContain('decap0');
    expect(socat.exitCode).toBeNull();
  });

  test('an ordinary user is told what is missing', async () => {
    const command = [
      'setpriv',
      '--reuid',
      '65534',
      '--regid',
      '65534',
      '--clear-groups',
      process.execPath,
      '-e',
    ];
    const script = `import(${JSON.stringify(fileURLToPath(new URL('../../dist/src/main.js', import.meta.url)))})`;
    const start = `${script}.then((m) => m.main('uipvs', ['decap', '--tunnel', 'gre'])).then((s) => process.exit(s))`;
    const { status, stderr } = await namespaces.run('server', [...command, start]);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: 'uipvs: decap: open /dev/net/tun: EACCES; needs CAP_NET_ADMIN and access to it\n',
    });
  });
});

interface Decap {
  readonly child: ChildProcess;
  stdout: string;
  stderr: string;
}

async function startDecap(...args: string[]): Promise<Decap> {
  const child = perTest.start(namespaces.inside('server', process.execPath, UIPVS, 'decap', ...args), {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const decap: Decap = { child, stdout: '', stderr: '' };
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    decap.stdout += text;
  });
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    decap.stderr += text;
  });
  await until('decap is ready', () => {
    if (child.exitCode !== null) throw new Error(`decap ended: ${decap.stderr}`);
    return decap.stdout.includes('\n');
  });
  return decap;
}

async function startSender(form: string, server: string): Promise<void> {
  const sender = perTest.start(namespaces.inside('client', process.execPath, SENDER, form, server), {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(sender.stdout!, 'data');
}
