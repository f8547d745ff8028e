import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fstatSync, readdirSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { PROTOCOL } from '../../src/core/config.ts';
import { descriptorLimit } from '../../src/net/descriptors.ts';
import { udpClient, udpServer } from './datagrams.ts';
import { addDest, addService, dest, service, usePlane } from './plane-fixture.ts';
import { dial, freePort, until, VIP } from './sockets.ts';

const canLimit = spawnSync('sh', ['-c', 'command -v prlimit']).status === 0;

/**
 * Leaves this process room for `count` more descriptors. By a shell that waits: starting one later takes descriptors.
 * @returns what gives them back
 */
async function leaveDescriptors(count: number): Promise<() => Promise<void>> {
  const usual = String(descriptorLimit());
  const set = `prlimit --pid ${process.pid} --nofile=$limit:; echo`;
  const shell = spawn('sh', ['-c', `while read limit; do ${set}; done`], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(() => void shell.stdin.end(`${usual}\n`));
  const tell = async (limit: string): Promise<void> => {
    shell.stdin.write(`${limit}\n`);
    await once(shell.stdout, 'data');
  };
  const open = new Set(readdirSync('/proc/self/fd').map(Number).filter(isOpen));
  let limit = 0;
  for (let free = count; open.has(limit) || free > 0; limit++) if (!open.has(limit)) free--;
  await tell(String(limit));
  return () => tell(usual);
}

/** The listing names its own descriptor, too. */
function isOpen(descriptor: number): boolean {
  try {
    fstatSync(descriptor);
    return true;
  } catch {
    return false;
  }
}

const use = usePlane();

describe.skipIf(!canLimit)(
  'a process that is out of descriptors for all that was counted (needs prlimit)',
  () => {
    test.each([
      { missing: 'the client', left: 1 },
      { missing: 'its server', left: 2 },
    ])(
      'a client is turned away when there is none for $missing; flows go on, later ones are served',
      async ({ left }) => {
        const { config } = await use().served();
        const old = dial(config.port);
        old.socket.write('one');
        await until('the echo has come', () => old.received().toString() === 'one');
        const giveBack = await leaveDescriptors(left);
        const unlucky = dial(config.port);
        await until('the client is told', () => unlucky.outcome() !== undefined);
        old.socket.write('two');
        await until('the rest has come', () => old.received().toString() === 'onetwo');
        expect(unlucky.received()).toHaveLength(0);
        await giveBack();
        await until('a client is served', () => {
          const { socket } = dial(config.port);
          socket.end();
          return use().count('tcp_connected') > 1;
        });
      },
    );

    test('a datagram gets the socket of the longest idle entry', async () => {
      const real = await udpServer();
      const config = service(await freePort(VIP), { protocol: PROTOCOL.UDP });
      await use().apply(addService(config), addDest(config, dest(real.port)));
      const [first, second] = [await udpClient(config.port), await udpClient(config.port)];
      first.send('one');
      await until('the reply has come', () => first.received.length === 1);
      const giveBack = await leaveDescriptors(0);
      second.send('two');
      await until('the reply has come', () => second.received.length === 1);
      expect(use().plane.counters()).toMatchObject({ udp_sockets_evicted: 1, udp_sockets_open: 1 });
      await giveBack();
    });
  },
);
