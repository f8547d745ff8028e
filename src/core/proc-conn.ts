import { type Address, AF_INET } from './address.ts';
import { PROTOCOL } from './config.ts';
import { CONN_FLAG } from './conn-flags.ts';
import type { Director } from './director.ts';
import type { ConnId } from './flow.ts';
import { TEMPLATE_ASSURED } from './lifecycle.ts';
import { SCTP_STATE_NAMES } from './sctp.ts';
import { protocolName } from './service.ts';
import { TCP_STATE_NAMES } from './tcp.ts';

type ConnProcName = 'ip_vs_conn' | 'ip_vs_conn_sync';

export function connHeader(name: ConnProcName): string {
  const last = name === 'ip_vs_conn' ? 'Expires PEName PEData' : 'Origin Expires';
  return `Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       ${last}\n`;
}

/** One entry as /proc/net/ip_vs_conn or ip_vs_conn_sync shows it (ip_vs_conn.c). */
export function connLine(director: Director, name: ConnProcName, id: ConnId, now: number): string {
  const { conns } = director.life;
  const line = [
    protocolName(conns.protocol(id)).padEnd(3),
    address(conns.caddr(id)),
    port(conns.cport(id)),
    address(conns.vaddr(id)),
    port(conns.vport(id)),
    address(conns.daddr(id)),
    port(conns.dport(id)),
    connStateName(director, id).padEnd(11),
  ];
  if (name === 'ip_vs_conn_sync') {
    line.push(((conns.flags[id]! & CONN_FLAG.SYNC) !== 0 ? 'SYNC' : 'LOCAL').padEnd(6));
  }
  const remainingMs = director.life.wheel.expiresAt[id]! - now;
  line.push(String(Math.max(0, Math.floor(remainingMs / 1000))).padStart(7));
  const peData = conns.peData.get(id);
  if (peData !== undefined && name === 'ip_vs_conn') line.push('sip', peData);
  return `${line.join(' ')}\n`;
}

function connStateName({ life: { conns } }: Director, id: ConnId): string {
  const state = conns.state[id]!;
  if ((conns.flags[id]! & CONN_FLAG.TEMPLATE) !== 0) return state === TEMPLATE_ASSURED ? 'ASSURED' : 'NONE';
  if (conns.protocol(id) === PROTOCOL.TCP) return TCP_STATE_NAMES[state] ?? 'ERR!';
  if (conns.protocol(id) === PROTOCOL.SCTP) return SCTP_STATE_NAMES[state] ?? 'ERR!';
  return conns.protocol(id) === PROTOCOL.UDP ? 'UDP' : 'NONE';
}

const port = (value: number): string => value.toString(16).toUpperCase().padStart(4, '0');

function address(a: Address): string {
  if (a.family === AF_INET) return (a.words[0] >>> 0).toString(16).toUpperCase().padStart(8, '0');
  const groups = a.words.flatMap((word) => [word >>> 16, word & 0xffff]);
  return groups.map((group) => group.toString(16).padStart(4, '0')).join(':');
}
