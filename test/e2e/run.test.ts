import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { TestDirector } from '../support/director.ts';
import { run, until } from '../support/processes.ts';
import { findProgram, isMissing, isRoot } from '../support/programs.ts';
import { runScript, runWrapped, UIPVS, wrappedCommand } from '../support/wrapped.ts';

const TABLE = 'IP Virtual Server version 1.2.1 (size=4096)';
const director = new TestDirector();

beforeAll(() => director.start(['--plane', 'none']));
beforeEach(() => director.ok('-C'));
afterAll(() => director.cleanUp());

describe('a wrapped command', () => {
  test.each([
    { command: ['true'], status: 0 },
    { command: ['sh', '-c', 'exit 7'], status: 7 },
    { command: ['no-such-program-anywhere'], status: 127 },
    { command: ['/etc/passwd'], status: 126 },
    { command: ['sh', '-c', 'kill -SEGV $$'], status: 139 },
  ])('ends with status $status: $command', async ({ command, status }) => {
    expect((await runWrapped(director, command)).status).toBe(status);
  });

  test('that a signal kills makes its wrapper die of the same signal', async () => {
    expect((await runScript(director, 'kill -TERM $$')).signal).toBe('SIGTERM');
  });

  test('has the descriptors, environment and limits that its wrapper was started with', async () => {
    const script = 'cat; ulimit -Sn; echo "$UIPVS_RUN" >&2';
    const command = ['bash', '-c', `ulimit -Sn 256; ${quoted(wrappedCommand(['bash', '-c', script]))}; true`];
    const { stdout, stderr } = await run(command, { env: director.env, input: 'hello\n' });
    expect([stdout, stderr]).toEqual(['hello\n256\n', '1\n']);
  });

  test('has the certificates that its wrapper, which needs none, was started with', async () => {
    const env = { ...director.env, NODE_EXTRA_CA_CERTS: '/nowhere' };
    const { stdout, stderr } = await run([UIPVS, 'run', '--', 'sh', '-c', 'env | grep EXTRA_CA'], { env });
    // Node complains of a file that it cannot load.
    expect([stdout, stderr]).toEqual(['NODE_EXTRA_CA_CERTS=/nowhere\n', '']);
  });

  test.each(['SIGUSR1', 'SIGHUP', 'SIGTERM', 'SIGINT'] as const)(
    'gets %s that its wrapper gets',
    async (signal) => {
      const script = `trap 'echo got; exit 4' ${signal.slice(3)}; echo ready; while :; do sleep 0.05; done`;
      const command = wrappedCommand(['bash', '-c', script]);
      const child = spawn(command[0]!, command.slice(1), {
        env: director.env,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let output = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
      await until('the command runs', () => output === 'ready\n');
      child.kill(signal);
      await once(child, 'close');
      expect([child.exitCode, output]).toEqual([4, 'ready\ngot\n']);
    },
  );

  test('is answered by a thread that signals to its wrapper do not interrupt', async () => {
    const { stdout } = await runScript(director, 'grep -h SigBlk /proc/$PPID/task/*/status');
    // All but those of faults and of the C library; KILL and STOP cannot be blocked.
    expect(stdout).toContain('SigBlk:\tfffffffe7ffbfa27\n');
  });

  test.skipIf(isMissing('script'))('can be stopped and continued at a terminal', async () => {
    const inner = quoted(wrappedCommand(['sh', '-c', 'kill -TSTP 0; echo continued']));
    const shell = `set -m; ${inner}; echo "stopped=$?"; fg >/dev/null; echo "ended=$?"`;
    const { stdout } = await run(['script', '-qec', `bash -c ${quoted([shell])}`, '/dev/null'], {
      env: director.env,
    });
    expect(stdout).toContain('stopped=148');
    expect(stdout).toContain('continued');
    expect(stdout).toContain('ended=0');
  });

  test('that leaves a daemon is waited for, if that is wanted, and the daemon is served', async () => {
    const script = 'touch x 2>/dev/null; setsid sh -c "sleep 0.7; ipvsadm -Ln" & exit 3';
    const { status, stdout } = await runScript(director, script, ['--wait']);
    expect([status, stdout.split('\n')[0]]).toEqual([3, TABLE]);
  });

  test('that leaves a daemon without being waited for says so', async () => {
    const { status, stderr } = await runScript(director, 'sleep 0.7 >/dev/null 2>&1 & exit 3');
    expect(status).toBe(3);
    expect(stderr).toContain("go on and no longer reach the director; see '--wait'");
  });

  test('within another one uses the same director, and cannot have one of its own', async () => {
    const nested = await runWrapped(director, wrappedCommand(['ipvsadm', '-Ln']));
    expect([nested.status, nested.stdout.split('\n')[0]]).toEqual([0, TABLE]);
    const own = await runWrapped(director, wrappedCommand(['true'], ['--director', '/nowhere']));
    expect([own.status, own.stderr]).toEqual([
      1,
      "uipvs: use the director /nowhere: this is within 'uipvs run', which has a director\n",
    ]);
  });

  test('does not start without a director', async () => {
    const command = wrappedCommand(['true'], ['--director', '/nowhere']);
    const { status, stderr } = await run(command, { env: director.env });
    expect([status, stderr]).toEqual([
      2,
      "uipvs: no director at /nowhere/netlink.sock; start one with 'uipvs up'\n",
    ]);
  });

  test.each([
    { options: ['--proc', 'some'], reason: "run: --proc takes off, fopen, all, not 'some'" },
    { options: ['--bogus'], reason: "run: Unknown option '--bogus'" },
  ])('is not run with wrong options: $options', async ({ options, reason }) => {
    const { status, stderr } = await runWrapped(director, ['true'], { options });
    expect(status).toBe(2);
    expect(stderr).toContain(`uipvs: ${reason}`);
  });
});

describe.skipIf(isMissing('ipvsadm'))('the real ipvsadm', () => {
  const ipvsadm = findProgram('ipvsadm') ?? '';

  test('changes and shows the tables of the director', async () => {
    const script = [
      'ipvsadm -A -t 10.0.0.1:80 -s wrr -p 300',
      'ipvsadm -a -t 10.0.0.1:80 -r 10.0.0.2:8080 -m -w 5',
      'ipvsadm -A -t 10.0.0.1:80 -s rr; echo "status=$?"',
      'ipvsadm -Sn',
    ].join('; ');
    const { stdout, stderr } = await runScript(director, script);
    expect(stderr).toBe('Service already exists\n');
    expect(stdout).toBe(`status=255\n${await director.ok('-Sn')}`);
    expect(await director.ok('-Sn')).toContain('-a -t 10.0.0.1:80 -r 10.0.0.2:8080 -m -w 5');
  });

  test('needs no privileges', async () => {
    const added = await director.tool('uipvs', ['run', '--', ipvsadm, '-A', '-u', '10.0.0.9:53', '-s', 'sh']);
    expect([added.status, added.stderr]).toEqual([0, '']);
    const status = await director.tool('uipvs', [
      'run',
      '--',
      'grep',
      '-E',
      'CapEff|NoNewPrivs',
      '/proc/self/status',
    ]);
    if (isRoot) expect(status.stdout).toBe('CapEff:\t0000000000000000\nNoNewPrivs:\t1\n');
    expect(await director.ok('-Sn')).toBe('-A -u 10.0.0.9:53 -s sh\n');
  });

  test('restores and saves 5,001 rules, byte for byte', { timeout: 180_000 }, async () => {
    const rules = Array.from(
      { length: 5000 },
      (_, i) => `-a -t 10.0.0.1:80 -r 10.1.${i >> 8}.${i & 255}:80 -m -w ${i}`,
    );
    const input = ['-A -t 10.0.0.1:80 -s rr', ...rules, ''].join('\n');
    expect((await runWrapped(director, [ipvsadm, '-R'], { input })).status).toBe(0);
    expect((await runWrapped(director, [ipvsadm, '-S', '-n'])).stdout).toBe(input);
  });

  test('works 24 times at once', async () => {
    const all = Array.from({ length: 24 }, (_, i) =>
      runScript(director, `ipvsadm -A -t 10.0.1.${i}:80 && ipvsadm -Ln -t 10.0.1.${i}:80 | grep -c ^TCP`),
    );
    for (const { status, stdout } of await Promise.all(all)) expect([status, stdout]).toEqual([0, '1\n']);
    expect((await director.ok('-Sn')).trim().split('\n')).toHaveLength(24);
  });

  test('works for another user than its wrapper', async () => {
    if (!isRoot) return;
    const drop = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'];
    const { status, stdout } = await runWrapped(director, [...drop, ipvsadm, '-Ln']);
    expect([status, stdout.split('\n')[0]]).toEqual([0, TABLE]);
  });

  test('works for another user where root may not look into the processes of others', async () => {
    if (!isRoot) return;
    const limited = ['setpriv', '--bounding-set=-sys_ptrace,-sys_admin', '--inh-caps=-all'];
    const drop = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'];
    const script = `${ipvsadm} -A -t 10.0.3.1:80 && ${ipvsadm} -Sn; cd /proc/net; head -1 ip_vs`;
    const command = [...limited, ...wrappedCommand([...drop, 'sh', '-c', script])];
    const { stdout } = await run(command, { env: director.env });
    expect(stdout).toBe(`-A -t 10.0.3.1:80 -s wlc\n${TABLE}\n`);
  });

  test('works as a set-uid child, which gets its privileges if the wrapper has them', async () => {
    if (!isRoot) return;
    const scratch = mkdtempSync(join(tmpdir(), 'uipvs-setuid-'));
    chmodSync(scratch, 0o755);
    const copies = ['id', 'ipvsadm'].map((name) => join(scratch, name));
    for (const copy of copies) {
      copyFileSync(findProgram(basename(copy))!, copy);
      chmodSync(copy, 0o4755);
    }
    const script = `${copies[0]} -u; ${copies[1]} -A -t 10.0.4.1:80; ${copies[1]} -Sn`;
    const drop = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'];
    const { stdout } = await runWrapped(director, [...drop, 'sh', '-c', script]);
    rmSync(scratch, { recursive: true });
    expect(stdout).toBe('0\n-A -t 10.0.4.1:80 -s wlc\n');
  });

  test('works in another network namespace', async () => {
    if (!isRoot) return;
    const { status, stdout } = await runWrapped(director, ['unshare', '-n', ipvsadm, '-Ln']);
    expect([status, stdout.split('\n')[0]]).toEqual([0, TABLE]);
  });
});

describe('what is not for IPVS', () => {
  test.skipIf(isMissing('genl', 'ip', 'nft', 'ethtool'))('reaches the kernel', async () => {
    for (const command of [
      ['genl', 'ctrl', 'list'],
      ['ip', '-o', 'link'],
      ['ethtool', 'lo'],
      ['nft', 'list', 'tables'],
    ]) {
      const outside = await run([findProgram(command[0]!)!, ...command.slice(1)]);
      const inside = await runWrapped(director, command);
      expect([command[0], inside.status, inside.stdout]).toEqual([
        command[0],
        outside.status,
        outside.stdout,
      ]);
    }
  });
});

describe('texts and settings below /proc', () => {
  test("are the director's for programs that open them as fopen() does", async () => {
    await director.ok('-A -t 10.0.0.1:80 -s rr');
    const { stdout } = await runScript(
      director,
      'cat /proc/net/ip_vs /proc/self/net/ip_vs_app; ipvsadm -Lnc',
    );
    const { stdout: table } = await director.uipvs('proc ip_vs');
    const { stdout: app } = await director.uipvs('proc ip_vs_app');
    expect(stdout).toBe(
      `${table}${app}IPVS connection entries\npro expire state       source             virtual            destination\n`,
    );
  });

  test('are left to the kernel where that is wanted', async () => {
    const { status } = await runWrapped(director, ['cat', '/proc/net/ip_vs'], { options: ['--proc', 'off'] });
    expect(status).toBe(1);
  });

  test('are found by relative paths and by stat(), and have the types of files in /proc', async () => {
    const script =
      'cd /proc/sys/net/ipv4; cat vs/pmtu_disc; cd ../../../net; head -1 ip_vs; test -x ip_vs || test -r ip_vs && stat -c "%F %a %u" /proc/net/ip_vs /proc/sys/net/ipv4/vs';
    const { stdout } = await runScript(director, script, ['--proc', 'all']);
    expect(stdout).toBe(`1\n${TABLE}\nregular empty file 444 0\ndirectory 555 0\n`);
  });

  test.skipIf(isMissing('sysctl'))(
    "are shown and changed by sysctl(8), with the kernel's refusals",
    async () => {
      const script =
        'sysctl net.ipv4.vs.conntrack; sysctl -w net.ipv4.vs.conntrack=1; sysctl -w net.ipv4.vs.drop_entry=9; sysctl net.ipv4.vs';
      const { stdout, stderr } = await runScript(director, script, ['--proc', 'all']);
      const all = (await director.uipvs('sysctl -a')).stdout;
      expect(stdout).toBe(`net.ipv4.vs.conntrack = 0\nnet.ipv4.vs.conntrack = 1\n${all}`);
      expect(stderr).toBe('sysctl: setting key "net.ipv4.vs.drop_entry": Invalid argument\n');
      await director.uipvs('sysctl -w net.ipv4.vs.conntrack=0');
    },
  );

  test('are changed by what a shell writes, before its next command', async () => {
    const file = '/proc/sys/net/ipv4/vs/sync_refresh_period';
    const { stdout, stderr } = await runScript(
      director,
      `echo 5 > ${file}; cat ${file}; echo 0 > ${file}; cat ${file}; echo bad > ${file}; cat ${file}`,
    );
    expect(stdout).toBe('5\n0\n0\n');
    expect(stderr).toContain('net.ipv4.vs.sync_refresh_period');
  });
});

test('the wrapper leaves nothing behind', async () => {
  await runWrapped(director, ['ls', '/proc/sys/net/ipv4/vs'], { options: ['--proc', 'all'] });
  const left = await run(['sh', '-c', 'ls -d /dev/shm/uipvs-run-* /tmp/uipvs-run-* 2>/dev/null; true']);
  expect(left.stdout).toBe('');
  expect(readFileSync('/proc/self/status', 'latin1')).toContain('Seccomp:\t0');
});

/** Words for a shell. */
function quoted(words: readonly string[]): string {
  return words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
}
