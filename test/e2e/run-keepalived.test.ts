import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { TestDirector } from '../support/director.ts';
import { endProcess, Processes, until } from '../support/processes.ts';
import { findProgram, isMissing, isRoot } from '../support/programs.ts';
import { startNginx } from '../support/servers.ts';
import { wrappedCommand } from '../support/wrapped.ts';

const VIP = '127.66.0.1';
const PORT = 8080;
const SORRY = '127.66.0.9';
const [BY_TCP, BY_HTTP, BY_SCRIPT] = ['127.66.0.11', '127.66.0.12', '127.66.0.13'] as const;
/** A check, its time-out and the delay before it is believed. */
const NOTICED_MS = 25_000;

const scratch = mkdtempSync(join(tmpdir(), 'uipvs-keepalived-'));
const flag = join(scratch, 'alive');
const director = new TestDirector();
const servers = new Map<string, Processes>();
const programs = new Processes();

afterEach(async () => {
  await programs.end();
  for (const server of servers.values()) await server.end();
  await director.cleanUp();
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe.skipIf(isMissing('keepalived', 'nginx') || !isRoot)('keepalived, unmodified', () => {
  test("keeps the director's table by its checks, and traffic follows", { timeout: 240_000 }, async () => {
    await director.start(['--plane', 'proxy']);
    for (const host of [BY_TCP, BY_HTTP, BY_SCRIPT, SORRY]) await startServer(host);
    writeFileSync(flag, '');
    writeFileSync(join(scratch, 'k.conf'), configuration({ weight: 3 }));
    const keepalived = programs.start(
      wrappedCommand([findProgram('keepalived')!, ...files('k.conf', 'pid', 'c.pid', 'v.pid')]),
      { env: director.env, stdio: 'ignore' },
    );

    await table({ [BY_TCP]: 3, [BY_HTTP]: 2, [BY_SCRIPT]: 1 });
    expect(await answers(12)).toEqual([BY_TCP, BY_HTTP, BY_SCRIPT]);

    await stopServer(BY_HTTP);
    await table({ [BY_TCP]: 3, [BY_SCRIPT]: 1 });
    expect(await answers(8)).toEqual([BY_TCP, BY_SCRIPT]);
    await startServer(BY_HTTP);
    await table({ [BY_TCP]: 3, [BY_HTTP]: 2, [BY_SCRIPT]: 1 });

    // inhibit_on_failure: the weight becomes 0 instead.
    rmSync(flag);
    await table({ [BY_TCP]: 3, [BY_HTTP]: 2, [BY_SCRIPT]: 0 });
    expect(await answers(8)).toEqual([BY_TCP, BY_HTTP]);

    // The quorum of 2 is lost with the second server.
    await stopServer(BY_TCP);
    await stopServer(BY_HTTP);
    await until('the sorry server serves', async () => (await answers(1))[0] === SORRY, NOTICED_MS);
    await startServer(BY_TCP);
    await startServer(BY_HTTP);
    await table({ [BY_TCP]: 3, [BY_HTTP]: 2, [BY_SCRIPT]: 0 });
    writeFileSync(flag, '');
    await table({ [BY_TCP]: 3, [BY_HTTP]: 2, [BY_SCRIPT]: 1 });

    // A reload, by a signal to the wrapper.
    writeFileSync(join(scratch, 'k.conf'), configuration({ weight: 7 }));
    keepalived.kill('SIGHUP');
    await table({ [BY_TCP]: 7, [BY_HTTP]: 2, [BY_SCRIPT]: 1 });

    // The director is gone for a moment: what happens then is not lost.
    await director.kill('SIGKILL');
    await director.start(['--plane', 'proxy']);
    await stopServer(BY_HTTP);
    await table({ [BY_TCP]: 7, [BY_SCRIPT]: 1 });

    await endProcess(keepalived, 'SIGTERM');
    expect(keepalived.exitCode).toBe(0);
    expect(await director.ok('-Sn')).toBe('');
  });

  test('works as a daemon that the wrapper stays for, and stops by its own process number', {
    timeout: 60_000,
  }, async () => {
    const own = new TestDirector();
    await own.start(['--plane', 'none']);
    writeFileSync(join(scratch, 'd.conf'), configuration({ weight: 3 }));
    const command = wrappedCommand(
      [
        findProgram('keepalived')!,
        ...files('d.conf', 'd.pid', 'dc.pid', 'dv.pid').filter((word) => word !== '-n'),
      ],
      ['--wait'],
    );
    const child = spawn(command[0]!, command.slice(1), { env: own.env, stdio: 'ignore' });
    await until('the service is there', async () => (await own.ok('-Sn')).includes(VIP), NOTICED_MS);
    const pid = Number(readFileSync(join(scratch, 'd.pid'), 'latin1'));
    expect(pid).toBeGreaterThan(1);
    process.kill(pid, 'SIGTERM');
    await until('the wrapper ends', () => child.exitCode !== null, NOTICED_MS);
    expect([child.exitCode, await own.ok('-Sn')]).toEqual([0, '']);
    await own.cleanUp();
  });
});

async function startServer(host: string): Promise<void> {
  const processes = new Processes();
  servers.set(host, processes);
  await startNginx(processes, scratch, host, PORT, host);
}

async function stopServer(host: string): Promise<void> {
  await servers.get(host)?.end();
}

/** Waits until the table has these servers with these weights. */
async function table(weights: Readonly<Record<string, number>>): Promise<void> {
  const wanted = Object.entries(weights).map(([host, weight]) => `${host} ${weight}`);
  let found: string[] = [];
  try {
    await until(
      'the table',
      async () => {
        const lines = (await director.ok('-Sn')).split('\n');
        found = lines.flatMap(
          (line) => / -r ([\d.]+):\d+ .*-w (\d+)/.exec(line)?.slice(1, 3).join(' ') ?? [],
        );
        return found.sort().join() === wanted.sort().join();
      },
      NOTICED_MS,
    );
  } catch {
    expect(found).toEqual(wanted);
  }
}

/** The servers that answer requests to the VIP, sorted. */
async function answers(count: number): Promise<string[]> {
  const found = new Set<string>();
  for (let i = 0; i < count; i++) found.add((await get()).trim());
  return [...found].sort();
}

function get(): Promise<string> {
  return new Promise((resolve) => {
    const client = request({ host: VIP, port: PORT, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => resolve(body));
    });
    client.on('error', (error) => resolve(error.message));
    client.end();
  });
}

function files(config: string, ...pids: readonly string[]): string[] {
  const [pid, checkers, vrrp] = pids.map((name) => join(scratch, name));
  expect(existsSync(join(scratch, config))).toBe(true);
  return ['-n', '-l', '-D', '-f', join(scratch, config), '-p', pid!, '-c', checkers!, '-r', vrrp!];
}

function configuration({ weight }: { weight: number }): string {
  const check = 'connect_timeout 1\n retry 0\n delay_before_retry 1\n';
  return `global_defs {
  script_user root
  enable_script_security
}
virtual_server ${VIP} ${PORT} {
  delay_loop 1
  lb_algo wrr
  lb_kind NAT
  protocol TCP
  quorum 2
  sorry_server ${SORRY} ${PORT}
  real_server ${BY_TCP} ${PORT} {
    weight ${weight}
    TCP_CHECK {
      ${check}
    }
  }
  real_server ${BY_HTTP} ${PORT} {
    weight 2
    HTTP_GET {
      url {
        path /
        status_code 200
      }
      ${check}
    }
  }
  real_server ${BY_SCRIPT} ${PORT} {
    weight 1
    inhibit_on_failure
    MISC_CHECK {
      misc_path "/usr/bin/test -e ${flag}"
      misc_timeout 2
    }
  }
}
`;
}
