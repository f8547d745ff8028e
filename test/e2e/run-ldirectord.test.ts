import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { TestDirector } from '../support/director.ts';
import { endProcess, Processes, until } from '../support/processes.ts';
import { findProgram, isMissing, isRoot } from '../support/programs.ts';
import { startNginx } from '../support/servers.ts';
import { wrappedCommand } from '../support/wrapped.ts';

const VIP = '127.67.0.1:8080';
const [FIRST, SECOND] = ['127.67.0.11', '127.67.0.12'] as const;
const NOTICED_MS = 30_000;

const scratch = mkdtempSync(join(tmpdir(), 'uipvs-ldirectord-'));
const director = new TestDirector();
const first = new Processes();
const second = new Processes();
const programs = new Processes();

afterEach(async () => {
  for (const processes of [programs, first, second]) await processes.end();
  await director.cleanUp();
  rmSync(scratch, { recursive: true, force: true });
});

describe.skipIf(isMissing('ldirectord', 'ipvsadm', 'nginx') || !isRoot)('ldirectord, unmodified', () => {
  test("keeps the director's table by its checks", { timeout: 180_000 }, async () => {
    await director.start(['--plane', 'proxy']);
    await startNginx(first, scratch, FIRST, 8080, 'first');
    await startNginx(second, scratch, SECOND, 8080, 'second');
    const config = join(scratch, 'ld.cf');
    writeFileSync(config, configuration());
    const command = wrappedCommand([findProgram('ldirectord')!, '-d', config, 'start']);
    const ldirectord = programs.start(command, { env: director.env, stdio: 'ignore' });
    await table([`${FIRST} 3`, `${SECOND} 5`]);
    await second.end();
    await table([`${FIRST} 3`]);
    await startNginx(second, scratch, SECOND, 8080, 'second');
    await table([`${FIRST} 3`, `${SECOND} 5`]);
    await endProcess(ldirectord, 'SIGTERM');
    expect(await director.ok('-Sn')).toBe('');
  });
});

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

function configuration(): string {
  return `checktimeout=2
checkinterval=1
quiescent=no
autoreload=no
logfile="${scratch}/ld.log"
virtual=${VIP}
\treal=${FIRST}:8080 masq 3
\treal=${SECOND}:8080 masq 5
\tfallback=127.0.0.1:80 masq
\tservice=http
\trequest="/"
\treceive="first|second"
\tscheduler=wrr
\tprotocol=tcp
\tchecktype=negotiate
`;
}
