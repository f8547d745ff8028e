import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { TestDirector } from '../support/director.ts';
import { Processes, run, until } from '../support/processes.ts';
import { findProgram, isMissing } from '../support/programs.ts';
import { startTrafficServer } from '../support/servers.ts';

const VIP = '127.62.0.1';
const SERVERS = ['127.62.0.11', '127.62.0.12'] as const;
const PORT = 5300;

let director = new TestDirector();
const servers = new Processes();

beforeAll(() => director.start());
afterEach(async () => {
  await servers.end();
  await director.ok('-C');
});
afterAll(() => director.cleanUp());

async function publish(): Promise<void> {
  await director.ok(`-A -u ${VIP}:${PORT} -s rr`);
  for (const server of SERVERS) await director.ok(`-a -u ${VIP}:${PORT} -r ${server}:${PORT} -m`);
}

describe('a UDP service', () => {
  test.skipIf(isMissing('dig', 'dnsmasq'))('gives each question of dig to the next dnsmasq', async () => {
    await publish();
    for (const [n, server] of SERVERS.entries()) {
      const listen = [
        `--port=${PORT}`,
        `--listen-address=${server}`,
        '--bind-interfaces',
        '--except-interface=none',
      ];
      const answers = ['--no-resolv', '--no-hosts', `--address=/pod.test/10.9.9.${n + 1}`];
      const user = process.getuid?.() === 0 ? ['--user=nobody', '--group=nogroup'] : [];
      servers.start([
        findProgram('dnsmasq')!,
        '--keep-in-foreground',
        '--conf-file=/dev/null',
        '--pid-file=',
        ...user,
        ...listen,
        ...answers,
      ]);
      await until(`dnsmasq on ${server}`, async () => (await dig(server)) === `10.9.9.${n + 1}`);
    }
    const answers = [];
    for (let i = 0; i < 4; i++) answers.push(await dig(VIP));
    expect(answers).toEqual(['10.9.9.2', '10.9.9.1', '10.9.9.2', '10.9.9.1']);
    expect(await director.ok('-L -n -c')).toMatch(
      /^UDP 04:5\d {2}UDP +127\.0\.0\.1:\d+ +127\.62\.0\.1:5300 +127\.62\.0\.12:5300$/m,
    );
    expect(await director.ok('-L -n')).toContain(
      '-> 127.62.0.11:5300             Masq    1      0          2',
    );
  });

  test('answers 50,000 client ports with a bounded number of sockets', async () => {
    await publish();
    for (const server of SERVERS) await startTrafficServer(servers, 'echo', server, PORT);
    const before = (await director.status()).connections.current;
    let mostDescriptors = 0;
    const watch = setInterval(() => {
      mostDescriptors = Math.max(mostDescriptors, director.descriptors());
    }, 500);
    const answered = await askFromPorts(50_000, 128);
    clearInterval(watch);
    expect(answered).toBe(50_000);
    const { counters, connections } = await director.status();
    expect(connections.current - before).toBe(50_000);
    expect(mostDescriptors).toBeGreaterThan(100);
    expect(mostDescriptors).toBeLessThan(counters['descriptors_limit']!);
  });

  test('forgets a flow, and closes its socket, after the time that --set gave', async () => {
    await director.cleanUp();
    director = new TestDirector();
    await director.start();
    await publish();
    await director.ok('--set 0 0 1');
    for (const server of SERVERS) await startTrafficServer(servers, 'echo', server, PORT);
    expect(await askFromPorts(10, 10)).toBe(10);
    await until('the entries have ended', async () => (await director.status()).connections.current === 0);
    expect((await director.status()).counters['udp_sockets_open']).toBe(0);
  });
});

/** @returns the address that the server at `host` gives for pod.test */
async function dig(host: string): Promise<string> {
  const { stdout } = await run([
    'dig',
    '+short',
    '+tries=1',
    '+time=1',
    '-p',
    String(PORT),
    `@${host}`,
    'pod.test',
  ]);
  return stdout.trim();
}

/** Asks the service once from each of `count` client ports, `atOnce` at a time. @returns how many were answered */
async function askFromPorts(count: number, atOnce: number): Promise<number> {
  let asked = 0;
  let answered = 0;
  const worker = async (): Promise<void> => {
    while (asked < count) {
      const n = asked++;
      if (await ask(`127.62.1.${1 + Math.floor(n / 25_000)}`, 10_000 + (n % 25_000), `question ${n}`))
        answered++;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return answered;
}

/** @returns whether the same text came back within a few tries */
async function ask(address: string, port: number, text: string): Promise<boolean> {
  const socket = createSocket('udp4');
  socket.bind(port, address);
  await once(socket, 'listening');
  for (let attempt = 0; attempt < 5; attempt++) {
    socket.send(text, PORT, VIP);
    const answer = await reply(socket, 1000);
    if (answer === text) {
      socket.close();
      return true;
    }
  }
  socket.close();
  return false;
}

function reply(socket: Socket, limitMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const done = (text: string | undefined): void => {
      clearTimeout(timer);
      socket.removeAllListeners('message');
      resolve(text);
    };
    const timer = setTimeout(() => done(undefined), limitMs);
    socket.once('message', (message) => done(message.toString()));
  });
}
