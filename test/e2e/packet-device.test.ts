import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { FfiName } from '../../src/net/ffi/native.ts';
import { lacksPackets, NetworkNamespaces } from '../support/network-namespaces.ts';
import { endProcess, until } from '../support/processes.ts';
import { isMissing } from '../support/programs.ts';
import { lacksTier } from '../support/uring.ts';

const PROGRAM = fileURLToPath(new URL('../../dist/test/support/device-program.js', import.meta.url));
const DEVICE = 'uipvs-test';

const skipsAll = lacksPackets();
const namespaces = new NetworkNamespaces();
let program: Program | undefined;

beforeAll(async () => {
  if (!skipsAll) await namespaces.add('device');
});
afterEach(() => program?.end());
afterAll(() => namespaces.remove());

for (const { tier, ffi } of [
  { tier: 'sync', ffi: 'koffi' },
  { tier: 'uring', ffi: 'koffi' },
  { tier: 'uring', ffi: 'ffi-rs' },
] as const)
  describe.skipIf(skipsAll || lacksTier(tier))(`a TUN device, tier ${tier}, by ${ffi}`, () => {
    /** Runs a scenario that needs the device's addresses. @returns what it says at its end */
    async function play(
      scenario: string,
      whileItRuns?: (program: Program) => Promise<void>,
    ): Promise<unknown> {
      program = new Program(namespaces.inside('device', process.execPath, PROGRAM, scenario, tier), ffi);
      expect(await program.line()).toBe('ready');
      await addAddresses();
      program.tell('go');
      await whileItRuns?.(program);
      return JSON.parse(await program.line());
    }

    /** Runs a scenario that manages by itself. */
    async function playAlone(scenario: string): Promise<unknown> {
      program = new Program(namespaces.inside('device', process.execPath, PROGRAM, scenario, tier), ffi);
      return JSON.parse(await program.line());
    }

    test('10,000 datagrams come back in order and intact, many of them to a wake', async () => {
      const result = await play('order');
      expect(result).toMatchObject({ received: 10_000, wrong: 0, errors: {} });
      const { reads, writes, batches } = result as Record<'reads' | 'writes' | 'batches', number>;
      expect(reads).toBeGreaterThanOrEqual(10_000);
      expect(writes).toBe(10_000);
      expect(batches).toBeLessThan(2500);
    });

    test('what a handler sends leaves before the packet in its hands', async () => {
      expect(await play('double')).toMatchObject({ received: 20_000, wrong: 0, writes: 20_000, errors: {} });
    });

    test('a TCP stream passes as super-packets', async () => {
      const result = await play('tcp');
      expect(result).toMatchObject({ received: 20_000_000, wrong: 0 });
      const { largest, superPackets } = result as Record<'largest' | 'superPackets', number>;
      expect(largest).toBeGreaterThan(20_000);
      expect(superPackets).toBeGreaterThan(100);
    });

    test('a datagram of 9000 bytes passes whole, one that is to be cut passes as a super-packet', async () => {
      const result = await play('superDatagram');
      expect(result).toMatchObject({ set: 0, sizes: [9000, ...Array(9).fill(1000)] });
      const { offloads, superPackets } = result as { offloads: string[]; superPackets: number };
      expect(superPackets).toBe(offloads.includes('uso') ? 1 : 0);
    });

    test.skipIf(isMissing('ping')).each(['10.77.0.2', 'fd77::2'])(
      'a flood of 10,000 echo requests to %s is answered',
      async (address) => {
        const result = await play('serve', async (running) => {
          const flood = ['ping', '-f', '-q', '-c', '10000', '-s', '1000', address];
          const { stdout } = await namespaces.run('device', flood, '', 60_000);
          expect(stdout).toContain('10000 packets transmitted, 10000 received, 0% packet loss');
          running.tell('end');
        });
        expect(result).toMatchObject({ errors: {} });
        expect((result as { writes: number }).writes).toBe(20_000);
      },
    );

    test('its deletion is told once, and what is sent afterwards is nothing', async () => {
      const result = await play('lost', () => namespaces.ip('device', `link del ${DEVICE}`).then(() => {}));
      expect(result).toEqual({ lost: ['EBADFD'] });
    });

    test('packets that cannot be written are counted', async () => {
      const { lost, errors } = (await playAlone('down')) as {
        lost: string[];
        errors: Record<string, number>;
      };
      expect(lost).toEqual([]);
      expect(Object.values(errors).reduce((a, b) => a + b)).toBe(2);
    });

    test('it may be closed by its own handler', async () => {
      expect(await play('closeWithin')).toEqual({ lost: [], reads: expect.any(Number), writes: 0 });
    });

    test('opening and closing leaves no descriptor', async () => {
      expect(await playAlone('descriptors')).toEqual({ more: 0 });
    });

    test('a name that cannot be had is told in one line', async () => {
      expect(await playAlone('name')).toEqual({
        errors: [
          `DeviceError: make device ${DEVICE}: EBUSY; the name is in use: another director in this network namespace?`,
          'DeviceError: make device a/b: EINVAL; a device may not have this name',
          'DeviceError: make device a-name-that-is-too-long: the name is longer than 15 bytes',
        ],
      });
    });

    test.skipIf(isMissing('ping'))('timers and messages are not kept waiting by a flood', async () => {
      const flood = ['ping', '-f', '-q', '-l', '1000', '-w', '30', '10.77.0.2'];
      const floods: ChildProcess[] = [];
      const result = await play('timers', async () => {
        for (let i = 0; i < 3; i++) floods.push(spawnQuietly(namespaces.inside('device', ...flood)));
      });
      for (const child of floods) await endProcess(child, 'SIGKILL');
      const { reads, late, told } = result as { reads: number; late: number[]; told: number[] };
      expect(reads).toBeGreaterThan(2000);
      expect(late[50]).toBeLessThan(20);
      expect(told[50]).toBeLessThan(20);
    });
  });

describe.skipIf(skipsAll)('raw sockets', () => {
  test('hand packets to a next hop as they are, whatever their own destination says', async () => {
    program = new Program(namespaces.inside('device', process.execPath, PROGRAM, 'raw', 'sync'));
    expect(await program.line()).toBe('ready');
    await addAddresses();
    await namespaces.ip('device', 'rule add fwmark 7 lookup 777');
    await namespaces.ip('device', `route add 198.51.100.0/24 dev ${DEVICE} table 777`);
    program.tell('go');
    const result = JSON.parse(await program.line());
    await namespaces.ip('device', 'rule del fwmark 7 lookup 777');
    expect(result).toEqual({
      sent: { v4: 28, v6: 48 },
      seen: [
        { from: '10.9.9.9', to: '192.0.2.1', ttl: 7, id: 4660, payload: 'abcdefgh' },
        { from: 'fd99::9', to: '2001:db8::1', ttl: 7, id: 0, payload: 'abcdefgh' },
        { from: '10.9.9.9', to: '192.0.2.1', ttl: 7, id: 4660, payload: 'abcdefgh' },
      ],
      tooLong: ['EMSGSIZE', 'EMSGSIZE'],
      withoutRoute: 'ENETUNREACH',
      markedOtherwise: 'ENETUNREACH',
      sockets: 2,
      descriptors: 2,
      left: 0,
    });
  });

  test('find another source address when theirs is gone', async () => {
    program = new Program(namespaces.inside('device', process.execPath, PROGRAM, 'renumbered', 'sync'));
    expect(await program.line()).toBe('ready');
    await namespaces.ip('device', `addr add 10.77.0.1/24 dev ${DEVICE}`);
    program.tell('go');
    expect(await program.line()).toBe('28');
    await namespaces.ip('device', `addr del 10.77.0.1/24 dev ${DEVICE}`);
    await namespaces.ip('device', `addr add 10.77.0.3/24 dev ${DEVICE}`);
    program.tell('go');
    const sizes = JSON.parse(await program.line());
    expect(sizes.at(-1)).toBe(28);
  });
});

/** The kernel takes packets to an IPv6 address only some time after it was added. */
async function addAddresses(): Promise<void> {
  await namespaces.ip('device', `addr add 10.77.0.1/24 dev ${DEVICE}`);
  await namespaces.ip('device', `addr add fd77::1/64 dev ${DEVICE} nodad`);
  const routes = (): Promise<string> => namespaces.ip('device', '-6 route show table local');
  await until('the address is local', async () => (await routes()).includes('fd77::1 '));
}

function spawnQuietly(command: readonly string[]): ChildProcess {
  return spawn(command[0]!, command.slice(1), { stdio: 'ignore' });
}

/** A run of the program: lines to and from it. */
class Program {
  private readonly child: ChildProcess;
  private text = '';
  private errors = '';

  constructor(command: readonly string[], ffi: FfiName = 'koffi') {
    const env = { ...process.env, UIPVS_FFI: ffi };
    this.child = spawn(command[0]!, command.slice(1), { stdio: 'pipe', env });
    this.child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      this.errors += chunk;
    });
    this.child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      this.text += chunk;
      this.child.emit('text');
    });
    this.child.once('close', () => this.child.emit('text'));
  }

  /** The next line. */
  async line(): Promise<string> {
    while (!this.text.includes('\n')) {
      if (this.child.exitCode !== null || this.child.signalCode !== null)
        throw new Error(`the program ended: ${this.errors}`);
      await once(this.child, 'text');
    }
    const end = this.text.indexOf('\n');
    const line = this.text.slice(0, end);
    this.text = this.text.slice(end + 1);
    return line;
  }

  tell(word: string): void {
    this.child.stdin?.write(`${word}\n`);
  }

  end(): Promise<void> {
    return endProcess(this.child, 'SIGKILL');
  }
}
