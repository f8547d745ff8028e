import { formatAddress } from '../core/address.ts';
import { DAEMON_STATE, type DaemonConfig, type Timeouts } from '../core/config.ts';

const DEFAULT_GROUP = '224.0.0.81';
const DEFAULT_PORT = 8848;
const DEFAULT_TTL = 1;

/** What `-L --timeout` prints. */
export function printTimeouts({ tcpSec, tcpFinSec, udpSec }: Timeouts): string {
  return `Timeout (tcp tcpfin udp): ${tcpSec} ${tcpFinSec} ${udpSec}\n`;
}

/** What `-L --daemon` prints: a line for each daemon that runs. */
export function printDaemons(daemons: readonly DaemonConfig[]): string {
  return daemons.map(daemonLine).join('');
}

function daemonLine(daemon: DaemonConfig): string {
  const role = daemon.state === DAEMON_STATE.MASTER ? 'master' : 'backup';
  const settings = [
    `mcast=${daemon.interface}`,
    `syncid=${daemon.syncId}`,
    `maxlen=${daemon.maxLen}`,
    `group=${daemon.group ? formatAddress(daemon.group) : DEFAULT_GROUP}`,
    `port=${daemon.port || DEFAULT_PORT}`,
    `ttl=${daemon.ttl || DEFAULT_TTL}`,
  ];
  return `${role} sync daemon (${settings.join(', ')})\n`;
}
