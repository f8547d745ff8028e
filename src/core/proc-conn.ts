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

/** The two digits of a byte, also with the blank that ends a column. */
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).toUpperCase().padStart(2, '0'));
const HEX_END = HEX.map((digits) => `${digits} `);
const PROTOCOLS = Array.from({ length: 256 }, (_, protocol) => `${protocolName(protocol).padEnd(3)} `);

export function connHeader(name: ConnProcName): string {
  const last = name === 'ip_vs_conn' ? 'Expires PEName PEData' : 'Origin Expires';
  return `Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       ${last}\n`;
}

/**
 * Makes the lines of a slice out of strings that are there already, in one piece: of lines put together one by one the
 * garbage, ten times the text, held the director's thread longer than the work.
 */
export class ConnLines {
  private readonly director: Director;
  private readonly name: ConnProcName;
  private readonly parts: string[] = [];

  constructor(director: Director, name: ConnProcName) {
    this.director = director;
    this.name = name;
  }

  /** Adds an entry as /proc/net/ip_vs_conn or ip_vs_conn_sync shows it (ip_vs_conn.c). */
  add(id: ConnId, now: number): void {
    const { director, name, parts } = this;
    const { conns, wheel } = director.life;
    parts.push(PROTOCOLS[conns.protocol(id)]!);
    pushEndpoint(parts, conns.caddr(id), conns.cport(id));
    pushEndpoint(parts, conns.vaddr(id), conns.vport(id));
    pushEndpoint(parts, conns.daddr(id), conns.dport(id));
    parts.push(connStateName(director, id).padEnd(12));
    if (name === 'ip_vs_conn_sync') {
      parts.push((conns.flags(id) & CONN_FLAG.SYNC) !== 0 ? 'SYNC   ' : 'LOCAL  ');
    }
    parts.push(String(Math.max(0, Math.floor((wheel.expiresAt(id) - now) / 1000))).padStart(7));
    const peData = conns.peData.size === 0 ? undefined : conns.peData.get(id);
    if (peData !== undefined && name === 'ip_vs_conn') parts.push(' sip ', peData);
    parts.push('\n');
  }

  text(): string {
    return this.parts.join('');
  }
}

/** State of an entry or template as the listings name it. */
export function connStateName({ life: { conns } }: Director, id: ConnId): string {
  const state = conns.state(id);
  if ((conns.flags(id) & CONN_FLAG.TEMPLATE) !== 0) return state === TEMPLATE_ASSURED ? 'ASSURED' : 'NONE';
  const protocol = conns.protocol(id);
  if (protocol === PROTOCOL.TCP) return TCP_STATE_NAMES[state] ?? 'ERR!';
  if (protocol === PROTOCOL.SCTP) return SCTP_STATE_NAMES[state] ?? 'ERR!';
  return protocol === PROTOCOL.UDP ? 'UDP' : 'NONE';
}

function pushEndpoint(parts: string[], { family, words }: Address, port: number): void {
  if (family === AF_INET) {
    const word = words[0];
    parts.push(HEX[word >>> 24]!, HEX[(word >>> 16) & 255]!, HEX[(word >>> 8) & 255]!, HEX_END[word & 255]!);
  } else parts.push(groups(words), ' ');
  parts.push(HEX[port >>> 8]!, HEX_END[port & 255]!);
}

/** Eight groups, nothing left out, in small letters. */
function groups(words: Address['words']): string {
  const all = words.flatMap((word) => [word >>> 16, word & 0xffff]);
  return all.map((group) => group.toString(16).padStart(4, '0')).join(':');
}
