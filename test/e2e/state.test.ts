import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { connectToDirector } from '../../src/control/client.ts';
import { formatAddress } from '../../src/core/address.ts';
import type { Command } from '../../src/core/commands.ts';
import type { ServiceConfig } from '../../src/core/config.ts';
import { ALL_FLAGS, destConfig, seededRandom, serviceConfig } from '../support/core.ts';
import { TestDirector } from '../support/director.ts';

const SEED = 20_261_122;
const CHANGES = 500;
const PORTS = 20;

let director: TestDirector;
afterEach(() => director.cleanUp());

describe('rules survive the death of the director', () => {
  test.each([1, 2, 3])(
    `kill -9 amid ${CHANGES} changes loses none that was acknowledged, round %i of seed ${SEED}`,
    async (round) => {
      director = new TestDirector();
      await director.start(['--plane', 'none']);
      const random = seededRandom(SEED + round);
      const killAfter = 50 + Math.floor(random() * (CHANGES - 100));
      const model = new Model();
      const port = await connectToDirector({ paths: pathsOf(director), autostart: false });
      let unacknowledged: Command | undefined;
      for (let n = 0; n < CHANGES && !unacknowledged; n++) {
        const command = model.change(random);
        const acknowledged = port.apply(command);
        if (n === killAfter) director.process?.kill('SIGKILL');
        await acknowledged.then(
          () => model.apply(command),
          () => {
            unacknowledged = command;
          },
        );
      }
      port.close();
      await director.kill('SIGKILL');

      await director.start(['--plane', 'none']);
      const found = (await director.ok('-S -n')).trim().split('\n').sort();
      const acknowledgedRules = model.rules();
      if (unacknowledged) model.apply(unacknowledged);
      expect([acknowledgedRules, model.rules()]).toContainEqual(found);
      expect(acknowledgedRules.length).toBeGreaterThan(10);
    },
  );

  test('timeouts, settings and the order of servers come back', async () => {
    director = new TestDirector();
    await director.start(['--plane', 'none']);
    await director.ok('--set 100 20 30');
    await director.ok('-A -t 10.0.0.1:80 -s wrr -p 60');
    for (const n of [2, 1, 3]) await director.ok(`-a -t 10.0.0.1:80 -r 10.2.0.${n}:80 -m -w ${n}`);
    await director.uipvs('sysctl -w net.ipv4.vs.conn_reuse_mode=0');
    const before = [await director.ok('-L -n --nosort'), await director.ok('-L --timeout')];
    await director.kill('SIGKILL');
    await director.start(['--plane', 'none']);
    expect([await director.ok('-L -n --nosort'), await director.ok('-L --timeout')]).toEqual(before);
    expect((await director.uipvs('sysctl net.ipv4.vs.conn_reuse_mode')).stdout).toBe(
      'net.ipv4.vs.conn_reuse_mode = 0\n',
    );
  });
});

describe('a damaged state file', () => {
  test('with a torn last record loses that record alone, and says so', async () => {
    const file = await stateOf(['-A -t 10.0.0.1:80', '-A -t 10.0.0.1:81']);
    truncateSync(file, readFileSync(file).length - 5);
    await director.start(['--plane', 'none']);
    expect(await director.ok('-S -n')).toBe('-A -t 10.0.0.1:80 -s wlc\n');
    expect(director.log).toContain('the last record is torn');
  });

  test('broken elsewhere is refused by file and line and left as it is; --fresh goes on', async () => {
    const file = await stateOf(['-A -t 10.0.0.1:80', '-A -t 10.0.0.1:81']);
    const broken = readFileSync(file, 'utf8').replace('"port":80', '"port":99');
    writeFileSync(file, broken);
    await expect(director.start(['--plane', 'none'])).rejects.toThrow(`${file}:2: `);
    expect(director.process?.exitCode).toBe(1);
    expect(readFileSync(file, 'utf8')).toBe(broken);
    await director.start(['--plane', 'none', '--fresh']);
    expect(await director.ok('-S -n')).toBe('');
  });
});

test('a second director on one runtime directory says so and ends with 1', async () => {
  director = new TestDirector();
  await director.start(['--plane', 'none']);
  const second = await director.uipvs('daemon --plane none');
  expect(second.status).toBe(1);
  expect(second.stderr).toMatch(/^uipvs: .*already runs.*\n$/);
  expect(await director.ok('-S -n')).toBe('');
});

/** Makes rules, stops the director. @returns the state file */
async function stateOf(rules: readonly string[]): Promise<string> {
  director = new TestDirector();
  await director.start(['--plane', 'none']);
  for (const rule of rules) await director.ok(rule);
  await director.kill('SIGTERM');
  return join(director.stateDir, 'state');
}

const pathsOf = (of: TestDirector) => ({
  env: { UIPVS_RUNTIME_DIR: of.runtimeDir },
  uid: process.getuid?.() ?? 0,
  tempDir: of.scratch,
  home: undefined,
});

/** What the table must be, kept by plain maps. */
class Model {
  private readonly services = new Map<number, Map<string, number>>();

  /** @returns a change that will be accepted */
  change(random: () => number): Command {
    const pick = (n: number): number => Math.floor(random() * n);
    const port = 1000 + pick(PORTS);
    const dests = this.services.get(port);
    const service = serviceOf(port);
    if (!dests) return { op: 'add-service', service, flagsMask: ALL_FLAGS };
    const n = 1 + pick(5);
    const dest = destConfig(n, { weight: pick(100) });
    if (pick(20) === 0) return { op: 'delete-service', service };
    if (!dests.has(String(n))) return { op: 'add-dest', service, dest };
    return pick(3) === 0 ? { op: 'delete-dest', service, dest } : { op: 'edit-dest', service, dest };
  }

  apply(command: Command): void {
    if (!('service' in command) || !command.service) return;
    const { port } = command.service;
    if (command.op === 'add-service') this.services.set(port, new Map());
    if (command.op === 'delete-service') this.services.delete(port);
    if (!('dest' in command) || !command.dest) return;
    const server = formatAddress(command.dest.addr).replace('10.2.0.', '');
    if ('weight' in command.dest) this.services.get(port)?.set(server, command.dest.weight);
    else this.services.get(port)?.delete(server);
    if (command.op === 'delete-dest') this.services.get(port)?.delete(server);
  }

  /** As `ipvsadm -S -n` prints them, sorted. */
  rules(): string[] {
    const lines = [...this.services].flatMap(([port, dests]) => [
      `-A -t 10.0.0.1:${port} -s rr`,
      ...[...dests].map(([n, weight]) => `-a -t 10.0.0.1:${port} -r 10.2.0.${n}:8080 -m -w ${weight}`),
    ]);
    return lines.sort();
  }
}

const serviceOf = (port: number): ServiceConfig => serviceConfig({ port });
