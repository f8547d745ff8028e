import { type Address, AF_INET, formatAddress } from './address.ts';
import { PROTOCOL } from './config.ts';
import { type Destination, overhead } from './destination.ts';
import type { EntryPath } from './entry-path.ts';
import { IpvsError } from './errors.ts';
import type { Candidate, ExplainRequest, Explanation } from './explanation.ts';
import { type Flow, NOT_OPENED } from './flow.ts';
import { Rehearsal } from './rehearsal.ts';
import type { Settings } from './settings.ts';
import type { StateTimeouts } from './timeouts.ts';

/** Most lines about servers in one answer, so that the director is not held long. */
const MOST_CANDIDATES = 200_000;
const PORTS = 65_536;
/** No entry. */
const NONE = -1;

/** What of a director decides about new connections. */
export interface Deciding {
  readonly entries: EntryPath;
  readonly settings: Settings;
  readonly timeouts: StateTimeouts;
}

/**
 * Says which server each connection would get, and why. The connections are opened in a copy of what decides; the director
 * stays as it is.
 * @throws IpvsError ESRCH (no such service), ENOENT (no such server), EINVAL (too much in one request)
 */
export function explain(director: Deciding, request: ExplainRequest, now: number): Explanation[] {
  const { flow, times, without } = request;
  const { protocol, vaddr, vport, fwmark } = flow;
  const service = director.entries.services.lookup(protocol, vaddr, vport, fwmark);
  if (!service) throw new IpvsError('ESRCH', 'there is no such service');
  if (times * service.dests.length > MOST_CANDIDATES) {
    throw new IpvsError(
      'EINVAL',
      `${times} connections are too many to explain for ${service.dests.length} servers`,
    );
  }
  const flows = Array.from({ length: times }, (_, i) => ({ ...flow, cport: (flow.cport + i) % PORTS }));
  const rehearsal = new Rehearsal(director, service, flow, times, now);
  for (const server of without) {
    if (rehearsal.remove(server)) continue;
    throw new IpvsError('ENOENT', `the service has no server ${endpointName(server.addr, server.port)}`);
  }
  const names = new Map(rehearsal.service.dests.map((dest) => [dest, endpointName(dest.addr, dest.port)]));
  return flows.map((each) => explainOne(director, rehearsal, names, each, now));
}

function explainOne(
  { entries }: Deciding,
  rehearsal: Rehearsal,
  names: ReadonlyMap<Destination, string>,
  flow: Flow,
  now: number,
): Explanation {
  const { service } = rehearsal;
  const { protocol, caddr, cport, vaddr, vport } = flow;
  const known = entries.life.conns.findIn(protocol, caddr, cport, vaddr, vport);
  const kept = known < 0 ? known : entries.foresee(known, protocol !== PROTOCOL.UDP);
  if (known >= 0 && kept === NONE) rehearsal.forget(known, entries.life);
  const found = {
    client: endpointName(caddr, cport),
    scheduler: service.schedulerName,
    persistentSec: service.isPersistent ? service.timeoutSec : 0,
    state: service.scheduler?.describe?.(service.dests, flow) ?? '',
    candidates: service.dests.map((dest) => candidateOf(dest, names.get(dest)!)),
  };
  if (kept === NOT_OPENED.DROP) return { ...found, server: '', reason: 'server deleted' };
  if (kept === NONE) return { ...found, ...openedIn(rehearsal, names, flow, now) };
  const dest = entries.life.destOf(kept);
  return { ...found, server: dest ? endpointName(dest.addr, dest.port) : '', reason: 'connection' };
}

function openedIn(
  rehearsal: Rehearsal,
  names: ReadonlyMap<Destination, string>,
  flow: Flow,
  now: number,
): Pick<Explanation, 'server' | 'reason'> {
  const choices = rehearsal.service.decisions.count;
  const opened = rehearsal.open(flow, now);
  if (opened === NOT_OPENED.NO_SERVICE) return { server: '', reason: 'not scheduled' };
  if (typeof opened === 'number') return { server: '', reason: 'nobody may be chosen' };
  const wasChosen = rehearsal.service.decisions.count > choices;
  return { server: names.get(opened)!, reason: wasChosen ? 'scheduler' : 'template' };
}

function candidateOf(dest: Destination, server: string): Candidate {
  return {
    server,
    weight: dest.weight,
    active: dest.active,
    inactive: dest.inactive,
    overhead: overhead(dest),
    excluded: dest.weight === 0 ? 'weight 0' : dest.overloaded ? 'at its upper threshold' : '',
  };
}

/** `10.0.0.2:80`, `[2001:db8::2]:80` */
function endpointName(addr: Address, port: number): string {
  const host = formatAddress(addr);
  return addr.family === AF_INET ? `${host}:${port}` : `[${host}]:${port}`;
}
