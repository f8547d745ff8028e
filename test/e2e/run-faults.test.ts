import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TestDirector } from '../support/director.ts';
import { run, until } from '../support/processes.ts';
import { findProgram, isMissing, isRoot } from '../support/programs.ts';
import { runWrapped, wrappedCommand } from '../support/wrapped.ts';

const CLIENT = fileURLToPath(new URL('../support/netlink-client.pl', import.meta.url));
let director: TestDirector;

beforeEach(async () => {
  director = new TestDirector();
  await director.start(['--plane', 'none']);
});
afterEach(() => director.cleanUp());

describe.skipIf(isMissing('perl'))('a client that speaks netlink by hand', () => {
  test('gets each answer once while a timer interrupts it all the time', async () => {
    expect(await client('signals')).toBe('wrong 0, many signals\n');
    expect((await director.ok('-Sn')).trim().split('\n')).toHaveLength(300);
  });

  test("gets the kernel's answers to requests that no program should make", async () => {
    expect(await client('malformed')).toBe(
      [
        'unknown command: -95',
        'no attributes: -22',
        'no command: -22',
        'cut attribute: -22',
        'dump of what has none: -95',
        'unknown family: -2',
        'not a request: 0',
        'still works: 0',
        'three in one: -95 -2 0',
        'too long: Message too long',
        '',
      ].join('\n'),
    );
  });

  test('receives as from the kernel: looks first, cuts, never waits, selects, reads and writes, has copies', async () => {
    expect(await client('receive')).toBe(
      [
        'nothing: Resource temporarily unavailable',
        'select: 1',
        'peek: same',
        'ack: 0 from 16 0 0 0',
        'end: Resource temporarily unavailable',
        'a cut datagram: 24, next 0',
        'by write: as long',
        'through a copy: same',
        'port: own',
        '',
      ].join('\n'),
    );
  });

  test('is told by poll() and epoll that something has come, and that nothing is left', async () => {
    expect(await client('polls')).toBe(
      [
        'before: 0 0',
        'with an answer and its acknowledgement: 1 1 for 7',
        'with the acknowledgement: 1 1',
        'after: 0 0',
        '',
      ].join('\n'),
    );
  });

  test('may fork 500 children, which speak to IPVS each on a socket of its own', async () => {
    expect(await client('forks')).toBe("failed 0, the parent's socket works\n");
  });

  test.skipIf(!isRoot)('may use the socket options that older programs know', async () => {
    expect(await client('legacy')).toBe(
      [
        'add: done',
        'add again: File exists',
        'add a server: done',
        'delete another: No such process',
        'cut short: Invalid argument',
        'version 10201, 1 services',
        '',
      ].join('\n'),
    );
    expect(await director.ok('-Sn')).toBe(
      '-A -t 10.7.0.1:80 -s rr\n-a -t 10.7.0.1:80 -r 10.7.1.1:8080 -m -w 5\n',
    );
  });

  test('gets a long list into the smallest receive buffer', async () => {
    const rules = Array.from({ length: 800 }, (_, i) => `-A -t 10.1.${i >> 8}.${i & 255}:80 -s rr\n`);
    await director.ok('-R', rules.join(''));
    expect(await client('small')).toBe('services 800\n');
  });

  test('has a hundred sockets at once', async () => {
    expect(await client('many')).toBe('lengths 1\n');
  });

  test('waits in one thread for what another one asks for', async () => {
    expect(await client('threads')).toBe('read by another thread: all\n');
  });

  test('is interrupted by a signal where nothing comes', async () => {
    expect(await client('alarm')).toBe('interrupted by alarm\n');
  });

  test('finds no IPVS while the director is away, and finds it again, without ever waiting long', async () => {
    const command = wrappedCommand(['perl', CLIENT, 'loop']);
    const child = spawn(command[0]!, command.slice(1), {
      env: director.env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    await until('it runs', () => output === 'there\n');
    await director.kill('SIGKILL');
    await until('it has noticed', () => output === 'there\ngone -2\n');
    await director.start(['--plane', 'none']);
    await until('it works again', () => output === 'there\ngone -2\nthere\n');
    child.kill('SIGTERM');
    await once(child, 'close');
  });

  test('is told that nobody answers once its wrapper has been killed, and waits for nothing', async () => {
    const command = wrappedCommand(['perl', CLIENT, 'loop']);
    const child = spawn(command[0]!, command.slice(1), { env: director.env, stdio: 'pipe' });
    const texts = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        texts[name] += text;
      });
    }
    await until('it runs', () => texts.stdout === 'there\n');
    child.kill('SIGKILL');
    await once(child, 'close');
    expect(texts.stderr).toContain('Function not implemented');
  });

  test('takes its private director along when its wrapper is killed', async () => {
    const command = wrappedCommand(['perl', CLIENT, 'loop'], ['--private', '--plane', 'none']);
    const child = spawn(command[0]!, command.slice(1), {
      env: director.env,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await once(child.stdout, 'data');
    const found = await run(['pgrep', '-P', String(child.pid), '-f', 'uipvs daemon']);
    const pid = Number(found.stdout);
    expect(existsSync(`/proc/${pid}`)).toBe(true);
    child.kill('SIGKILL');
    await until('the private director has ended', () => !existsSync(`/proc/${pid}`), 15_000);
  });

  test('finds no IPVS where the director is there but does not answer', async () => {
    const script = 'read x; for i in 1 2; do perl "$0" info; done';
    const command = wrappedCommand(['bash', '-c', script, CLIENT]);
    const child = spawn(command[0]!, command.slice(1), {
      env: director.env,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    director.process?.kill('SIGSTOP');
    child.stdin.write('first\n');
    await until('it has noticed', () => output === 'gone -2\n', 30_000);
    director.process?.kill('SIGCONT');
    await once(child, 'close');
    expect(output).toBe('gone -2\nthere\n');
  });
});

describe.skipIf(isMissing('ipvsadm'))('the real ipvsadm', () => {
  test('bridges a short absence of the director', async () => {
    const ipvsadm = findProgram('ipvsadm')!;
    const script = `${ipvsadm} -A -t 10.0.0.1:80; echo first; read x; ${ipvsadm} -A -t 10.0.0.2:80; echo "status=$?"`;
    const command = wrappedCommand(['bash', '-c', script]);
    const child = spawn(command[0]!, command.slice(1), {
      env: director.env,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    await until('the first rule is there', () => output === 'first\n');
    await director.kill('SIGKILL');
    const started = director.start(['--plane', 'none']);
    child.stdin.end('\n');
    await once(child, 'close');
    await started;
    expect(output).toBe('first\nstatus=0\n');
    expect(await director.ok('-Sn')).toBe('-A -t 10.0.0.1:80 -s wlc\n-A -t 10.0.0.2:80 -s wlc\n');
  });

  test('says what it says on a kernel without IPVS once the director is away for good', async () => {
    const child = runWrapped(director, ['bash', '-c', `sleep 1.5; ${findProgram('ipvsadm')} -Ln`]);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await director.kill('SIGKILL');
    const { status, stderr } = await child;
    expect(status).toBe(2);
    expect(stderr).toContain("Can't initialize ipvs: Protocol not available");
  });
});

async function client(mode: string): Promise<string> {
  const { stdout, stderr } = await runWrapped(director, ['perl', CLIENT, mode]);
  return stdout + stderr;
}
