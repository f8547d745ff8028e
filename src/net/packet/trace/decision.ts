import { formatAddress } from '../../../core/address.ts';
import { METHOD } from '../../../core/config.ts';
import { CONN_FLAG } from '../../../core/conn-flags.ts';
import type { Director } from '../../../core/director.ts';
import type { ConnId } from '../../../core/flow.ts';
import { connStateName } from '../../../core/proc-conn.ts';
import { describeService } from '../../../core/service.ts';
import { VERDICT, type Verdict } from '../../../core/verdict.ts';

/** Names of METHOD's values, as ipvsadm prints them. */
const METHOD_NAMES: Readonly<Record<number, string>> = {
  [METHOD.MASQ]: 'Masq',
  [METHOD.LOCAL]: 'Local',
  [METHOD.TUNNEL]: 'Tunnel',
  [METHOD.ROUTE]: 'Route',
  [METHOD.BYPASS]: 'Bypass',
};

const VERDICT_NAMES = Object.fromEntries(Object.entries(VERDICT).map(([name, value]) => [value, name]));

/**
 * What the director decided about its last packet, as a packet's comment: `TRANSMIT; service TCP 10.0.0.1:80 wrr; server
 * 10.1.0.2:8080 Masq; state SYN_RECV; template 192.0.2.0 600 s`. To be asked before the director gets another call.
 * @param conn the packet's entry, or -1: then the verdict is all there is to tell
 */
export function describeDecision(director: Director, verdict: Verdict, conn: ConnId): string {
  const parts = [VERDICT_NAMES[verdict]!];
  if (conn < 0) return parts[0]!;
  const { conns } = director.life;
  const service = director.life.destOf(conn)?.service;
  if (service) parts.push(`service ${describeService(service, formatAddress)} ${service.schedulerName}`);
  const method = METHOD_NAMES[conns.flags(conn) & CONN_FLAG.METHOD_MASK] ?? 'Unknown';
  parts.push(`server ${endpoint(formatAddress(conns.daddr(conn)), conns.dport(conn))} ${method}`);
  parts.push(`state ${connStateName(director, conn)}`);
  const template = conns.control(conn);
  if (template >= 0) {
    parts.push(`template ${formatAddress(conns.caddr(template))} ${conns.timeoutSec(template)} s`);
  }
  return parts.join('; ');
}

const endpoint = (host: string, port: number): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
