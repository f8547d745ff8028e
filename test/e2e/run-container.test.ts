import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { TestDirector } from '../support/director.ts';
import { Processes } from '../support/processes.ts';
import { findProgram, isMissing } from '../support/programs.ts';
import { startNginx } from '../support/servers.ts';

const VIP = '127.68.0.1';
const SERVER = '127.68.0.11';
const PORT = 8080;

const scratch = mkdtempSync(join(tmpdir(), 'uipvs-container-'));
const director = new TestDirector();
const servers = new Processes();

afterEach(async () => {
  await servers.end();
  await director.cleanUp();
  rmSync(scratch, { recursive: true, force: true });
});

describe.skipIf(isMissing('keepalived', 'nginx', 'curl'))("a container's entry point", () => {
  test('balances for keepalived with a director of its own, as any user without a capability', async () => {
    chmodSync(scratch, 0o777);
    await startNginx(servers, scratch, SERVER, PORT, 'served');
    const config = join(scratch, 'k.conf');
    writeFileSync(config, CONFIGURATION);
    const pids = ['p', 'c', 'r'].map((name) => `-${name} ${join(scratch, `${name}.pid`)}`).join(' ');
    const script = `grep CapEff /proc/self/status
      ${findProgram('keepalived')} -n -l -f ${config} ${pids} >/dev/null 2>&1 & keepalived=$!
      curl -s --retry 40 --retry-connrefused --retry-delay 0 --retry-max-time 20 http://${VIP}:${PORT}/
      kill $keepalived; wait $keepalived; echo "status=$?"`;
    const options = ['--private', '--plane', 'proxy'];
    const { stdout } = await director.tool('uipvs', ['run', ...options, '--', 'bash', '-c', script]);
    const [privileges, ...rest] = stdout.split('\n');
    if (process.getuid?.() === 0) expect(privileges).toBe('CapEff:\t0000000000000000');
    expect(rest).toEqual(['served', 'status=0', '']);
  });
});

const CONFIGURATION = `virtual_server ${VIP} ${PORT} {
  delay_loop 1
  lb_algo rr
  lb_kind NAT
  protocol TCP
  real_server ${SERVER} ${PORT} {
    TCP_CHECK {
      connect_timeout 1
    }
  }
}
`;
