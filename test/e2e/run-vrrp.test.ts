import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestDirector } from '../support/director.ts';
import { lacksPackets, NetworkNamespaces } from '../support/network-namespaces.ts';
import { run } from '../support/processes.ts';
import { findProgram, isMissing } from '../support/programs.ts';
import { wrappedCommand } from '../support/wrapped.ts';

const OWN = '192.0.2.1';
const VIP = '192.0.2.100';

describe.skipIf(lacksPackets() || isMissing('keepalived', 'ipvsadm'))(
  'keepalived with VRRP, unmodified',
  () => {
    const namespaces = new NetworkNamespaces();
    const scratch = mkdtempSync(join(tmpdir(), 'uipvs-vrrp-'));
    const director = new TestDirector({ isPrivileged: true });

    beforeAll(async () => {
      await namespaces.add('lb', 'peer');
      await namespaces.join(
        { namespace: 'lb', device: 'v0', addresses: [`${OWN}/24`] },
        { namespace: 'peer', device: 'v1', addresses: [] },
      );
      await director.start(['--plane', 'none'], namespaces.inside('lb'));
    });
    afterAll(async () => {
      await director.cleanUp();
      await namespaces.remove();
      rmSync(scratch, { recursive: true, force: true });
    });

    test("takes its address from the kernel, and the director's table, timeouts and synchronisation", async () => {
      const config = join(scratch, 'k.conf');
      writeFileSync(config, CONFIGURATION);
      const pids = ['p', 'c', 'r'].map((name) => `-${name} ${join(scratch, `${name}.pid`)}`).join(' ');
      const script = `${findProgram('keepalived')} -n -l -f ${config} ${pids} >/dev/null 2>&1 & keepalived=$!
      for i in $(seq 200); do
        ip -4 -o addr show dev v0 | grep -q ${VIP} && ipvsadm -L --daemon | grep -q master && break
        sleep 0.1
      done
      ip -4 -o addr show dev v0 | grep -c ${VIP}
      ipvsadm -Sn; ipvsadm -L --timeout; ipvsadm -L --daemon
      kill $keepalived; wait $keepalived; echo "status=$?"
      ip -4 -o addr show dev v0 | grep -c ${VIP}
      ipvsadm -Sn; ipvsadm -L --daemon`;
      const command = namespaces.inside('lb', ...wrappedCommand(['bash', '-c', script]));
      const { stdout } = await run(command, { env: director.env, timeoutMs: 50_000 });
      expect(stdout.split('\n')).toEqual([
        '1',
        `-A -t ${VIP}:80 -s wlc`,
        `-a -t ${VIP}:80 -r 198.51.100.1:80 -m -w 1`,
        'Timeout (tcp tcpfin udp): 7200 60 90',
        expect.stringMatching(/^master sync daemon \(mcast=v0, syncid=9[,)]/),
        'status=0',
        '0',
        '',
      ]);
    });
  },
);

const CONFIGURATION = `global_defs {
  lvs_timeouts tcp 7200 tcpfin 60 udp 90
  lvs_sync_daemon v0 one id 9
}
vrrp_instance one {
  interface v0
  state MASTER
  virtual_router_id 9
  priority 255
  virtual_ipaddress {
    ${VIP}/24
  }
}
virtual_server ${VIP} 80 {
  lb_algo wlc
  lb_kind NAT
  protocol TCP
  real_server 198.51.100.1 80 {
  }
}
`;
