import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { TestDirector } from '../support/director.ts';
import { endProcess, Processes, run, until } from '../support/processes.ts';
import { findProgram, isMissing, isRoot } from '../support/programs.ts';
import { startNginx } from '../support/servers.ts';
import { wrappedCommand } from '../support/wrapped.ts';

const VIP = '127.67.0.1';
const PORT = 8080;
const [FIRST, SECOND, FALLBACK] = ['127.67.0.11', '127.67.0.12', '127.67.0.9'] as const;
const NOTICED_MS = 30_000;

const scratch = mkdtempSync(join(tmpdir(), 'uipvs-ldirectord-'));
const director = new TestDirector();
const first = new Processes();
const second = new Processes();
const sorry = new Processes();
const programs = new Processes();

afterEach(async () => {
  for (const processes of [programs, first, second, sorry]) await processes.end();
  await director.cleanUp();
  rmSync(scratch, { recursive: true, force: true });
});

describe.skipIf(isMissing('ldirectord', 'ipvsadm', 'nginx', 'curl') || !isRoot)(
  'ldirectord, unmodified',
  () => {
    test("keeps the director's table by its checks, and traffic follows", { timeout: 180_000 }, async () => {
      await director.start(['--plane', 'proxy']);
      await startNginx(first, scratch, FIRST, PORT, 'first');
      await startNginx(second, scratch, SECOND, PORT, 'second');
      await startNginx(sorry, scratch, FALLBACK, PORT, 'sorry');
      const config = join(scratch, 'ld.cf');
      writeFileSync(config, configuration({ weight: 5 }));
      const command = wrappedCommand([findProgram('ldirectord')!, '-d', config, 'start']);
      const ldirectord = programs.start(command, { env: director.env, stdio: 'ignore' });
      await table([`${FIRST} 3`, `${SECOND} 5`]);
      expect(await answers(8)).toEqual(['first', 'second']);

      await second.end();
      await table([`${FIRST} 3`]);
      expect(await answers(4)).toEqual(['first']);
      await first.end();
      await table([`${FALLBACK} 1`]);
      expect(await answers(4)).toEqual(['sorry']);
      await startNginx(first, scratch, FIRST, PORT, 'first');
      await table([`${FIRST} 3`]);
      await startNginx(second, scratch, SECOND, PORT, 'second');
      await table([`${FIRST} 3`, `${SECOND} 5`]);

      writeFileSync(config, configuration({ weight: 7 }));
      ldirectord.kill('SIGHUP');
      await table([`${FIRST} 3`, `${SECOND} 7`]);
      await endProcess(ldirectord, 'SIGTERM');
      expect(await director.ok('-Sn')).toBe('');
    });
  },
);

async function table(wanted: readonly string[]): Promise<void> {
  let found: string[] = [];
  try {
    await until(
      'the table',
      async () => {
        const lines = (await director.ok('-Sn')).split('\n');
        found = lines.flatMap(
          (line) => / -r ([\d.]+):\d+ .*-w (\d+)/.exec(line)?.slice(1, 3).join(' ') ?? [],
        );
        return found.sort().join() === [...wanted].sort().join();
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
  for (let i = 0; i < count; i++) {
    const { stdout } = await run(['curl', '-s', '--max-time', '5', `http://${VIP}:${PORT}/`]);
    found.add(stdout.trim());
  }
  return [...found].sort();
}

function configuration({ weight }: { weight: number }): string {
  return `checktimeout=2
checkinterval=1
quiescent=no
autoreload=no
logfile="${scratch}/ld.log"
virtual=${VIP}:${PORT}
\treal=${FIRST}:${PORT} masq 3
\treal=${SECOND}:${PORT} masq ${weight}
\tfallback=${FALLBACK}:${PORT} masq
\tservice=http
\trequest="/"
\treceive="first|second"
\tscheduler=wrr
\tprotocol=tcp
\tchecktype=negotiate
`;
}
