import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { boot, isOracleMissing, PROJECT } from '../support/oracle/kernel.ts';
import { isMissing } from '../support/programs.ts';

const UIPVS = `${PROJECT}/bin/uipvs`;
const LIMIT_MS = 120_000;

describe.skipIf(isOracleMissing() || isMissing('genl', 'sysctl'))('on a kernel that has IPVS', () => {
  test("wrapped programs see the director's table, and the kernel's stays as it is", {
    timeout: LIMIT_MS,
  }, async () => {
    const printed = await onKernel(`
      ipvsadm -A -t 10.0.0.9:80 -s sh
      '${process.execPath}' '${UIPVS}' run --private --plane none --proc all -- sh -c '
        echo wrapped; ipvsadm -C; ipvsadm -A -t 10.0.0.1:80 -s rr; ipvsadm -a -t 10.0.0.1:80 -r 10.0.0.2 -m; ipvsadm -Sn
        sysctl -w net.ipv4.vs.conntrack=1; grep 0050 /proc/net/ip_vs; genl ctrl list | grep -c IPVS'
      echo status=$?
      echo kernel; ipvsadm -Sn; sysctl net.ipv4.vs.conntrack; grep 0050 /proc/net/ip_vs`);
    expect(printed).toEqual([
      'wrapped',
      '-A -t 10.0.0.1:80 -s rr',
      '-a -t 10.0.0.1:80 -r 10.0.0.2:80 -m -w 1',
      'net.ipv4.vs.conntrack = 1',
      'TCP  0A000001:0050 rr  ',
      '  -> 0A000002:0050      Masq    1      0          0         ',
      '1',
      'status=0',
      'kernel',
      '-A -t 10.0.0.9:80 -s sh',
      'net.ipv4.vs.conntrack = 0',
      'TCP  0A000009:0050 sh  ',
      '',
    ]);
  });
});

/** @returns the lines that a script of bash printed under a kernel with IPVS */
async function onKernel(script: string): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'uipvs-oracle-'));
  try {
    writeFileSync(join(folder, 'script'), script);
    return (await boot(join(folder, 'script'))).split('\n');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
