import { isUnspecified } from '../core/address.ts';
import type { Command } from '../core/commands.ts';
import {
  type DaemonConfig,
  type DestConfig,
  METHOD,
  PROTOCOL,
  SERVICE_FLAG,
  type ServiceConfig,
  type ServiceKey,
  TUNNEL_TYPE,
} from '../core/config.ts';
import type { CommandName } from './commands.ts';
import type { Draft } from './draft.ts';
import { checkTunnelOptions } from './option-rules.ts';
import type { OptionName } from './options.ts';
import type { Request, TableForm } from './request.ts';
import { TUNNEL_FLAG } from './tunnel-flags.ts';
import { refuse } from './usage-error.ts';

/** A change sets every flag of a service. */
const ALL_FLAGS = 0xffffffff;

/** Longest names that fit the kernel's structures; ipvsadm cuts longer ones. */
const NAME_MAX = 15;

/** Of several forms asked for, the first one here is shown. */
const FORMS: readonly TableForm[] = ['stats', 'rate', 'thresholds', 'persistent-conn', 'tun-info'];

const TUNNEL_OPTIONS: readonly OptionName[] = [
  'tun-type',
  'tun-port',
  'tun-nocsum',
  'tun-csum',
  'tun-remcsum',
];

/**
 * Makes the request of a line whose options suit its command.
 *
 * @param scheduler with the default filled in
 * @param schedFlags bits of SERVICE_FLAG
 * @param timeouts the three of `--set`, in seconds
 * @throws UsageError for values that do not suit each other
 */
export function buildRequest(
  draft: Draft,
  scheduler: string,
  schedFlags: number,
  timeouts: readonly number[],
): Request {
  switch (draft.command) {
    case 'list':
      return listRequest(draft);
    case 'save':
      return { kind: 'save', numeric: draft.given.has('numeric') };
    case 'restore':
    case 'help':
    case 'version':
      return { kind: draft.command };
    case 'set':
      return change(draft.command, {
        op: 'set-timeouts',
        timeouts: { tcpSec: timeouts[0]!, tcpFinSec: timeouts[1]!, udpSec: timeouts[2]! },
      });
    case 'start-daemon':
      return change(draft.command, { op: 'start-daemon', daemon: daemonConfig(draft) });
    case 'stop-daemon':
      return change(draft.command, { op: 'stop-daemon', state: draft.daemonState });
    case 'flush':
      return change(draft.command, { op: 'flush' });
    case 'zero':
      return change(draft.command, {
        op: 'zero',
        service: zeroedService(draft),
      });
    case 'add-service':
    case 'edit-service':
      return serviceChange(draft, draft.command, scheduler, schedFlags);
    case 'delete-service':
      return change(draft.command, { op: 'delete-service', service: serviceKey(draft) });
    case 'add-server':
    case 'edit-server':
    case 'delete-server':
      return serverChange(draft, draft.command);
  }
}

const change = (command: CommandName, made: Command): Request => ({ kind: 'change', command, change: made });

/** Without an address, or with the address and port 0 of no service in particular, every counter is meant. */
function zeroedService(draft: Draft): ServiceKey | undefined {
  if (!draft.given.has('service-address')) return undefined;
  const key = serviceKey(draft);
  return key.fwmark === 0 && key.port === 0 && isUnspecified(key.addr) ? undefined : key;
}

function listRequest({ given, ...draft }: Draft): Request {
  const numeric = given.has('numeric');
  if (given.has('connection')) {
    return { kind: 'list-connections', numeric, withEngine: given.has('persistent-conn') };
  }
  if (given.has('timeout')) return { kind: 'list-timeouts' };
  if (given.has('daemon')) return { kind: 'list-daemons' };
  return {
    kind: 'list-table',
    service: given.has('service-address') ? serviceKey(draft) : undefined,
    options: {
      form: FORMS.find((form) => form !== 'plain' && given.has(form)) ?? 'plain',
      numeric,
      exact: given.has('exact'),
      sorted: !given.has('nosort'),
    },
  };
}

function serviceKey(draft: Pick<Draft, 'family' | 'protocol' | 'addr' | 'port' | 'fwmark'>): ServiceKey {
  const { family, protocol, addr, port, fwmark } = draft;
  if (fwmark === 0) return { family, protocol, addr, port, fwmark };
  return { family, protocol: PROTOCOL.TCP, addr: { family, words: [0, 0, 0, 0] }, port: 0, fwmark };
}

function serviceChange(
  draft: Draft,
  command: 'add-service' | 'edit-service',
  scheduler: string,
  schedFlags: number,
): Request {
  const persistent = draft.given.has('persistent');
  const onePacket = draft.given.has('ops');
  if (draft.fwmark === 0 && draft.port === 0 && !persistent) {
    throw refuse('Zero port specified for non-persistent service');
  }
  if (onePacket && draft.fwmark === 0 && draft.protocol !== PROTOCOL.UDP) {
    throw refuse('One-Packet Scheduling is only for UDP virtual services');
  }
  const service: ServiceConfig = {
    ...serviceKey(draft),
    scheduler: scheduler.slice(0, NAME_MAX),
    flags:
      (persistent ? SERVICE_FLAG.PERSISTENT : 0) | (onePacket ? SERVICE_FLAG.ONE_PACKET : 0) | schedFlags,
    timeoutSec: draft.timeoutSec,
    netmask: draft.netmask,
    pe: draft.pe.slice(0, NAME_MAX),
  };
  return change(command, { op: command, service, flagsMask: ALL_FLAGS });
}

function serverChange(draft: Draft, command: 'add-server' | 'edit-server' | 'delete-server'): Request {
  const service = serviceKey(draft);
  if (command === 'delete-server') {
    return change(command, {
      op: 'delete-dest',
      service,
      dest: { addr: draft.destAddr, port: draft.destPort },
    });
  }
  if (draft.destAddr.family !== draft.family && draft.method !== METHOD.TUNNEL) {
    throw refuse('Different address family is allowed only for tunneling servers');
  }
  if (draft.method === METHOD.TUNNEL) checkTunnelOptions(draft.tunnelType, draft.given);
  else if (TUNNEL_OPTIONS.some((name) => draft.given.has(name))) {
    throw refuse('Tunnel options conflict with forward method');
  }
  const dest: DestConfig = {
    addr: draft.destAddr,
    port: keepsPort(draft) ? draft.destPort : draft.port,
    weight: draft.weight,
    method: draft.method,
    upperThreshold: draft.upperThreshold,
    lowerThreshold: draft.lowerThreshold,
    tunnelType: tunnelType(draft),
    tunnelPort: draft.tunnelPort,
    tunnelFlags: tunnelFlags(draft.given),
  };
  return change(command, { op: command === 'add-server' ? 'add-dest' : 'edit-dest', service, dest });
}

/** Only NAT can send to another port than the client's; behind a fwmark any port is taken as given. */
function keepsPort(draft: Draft): boolean {
  return draft.method === METHOD.MASQ || draft.fwmark !== 0;
}

function tunnelType(draft: Draft): number {
  if (draft.tunnelType === 'gue') return TUNNEL_TYPE.GUE;
  return draft.tunnelType === 'gre' ? TUNNEL_TYPE.GRE : TUNNEL_TYPE.IPIP;
}

function tunnelFlags(given: ReadonlySet<OptionName>): number {
  if (given.has('tun-csum')) return TUNNEL_FLAG.CSUM;
  return given.has('tun-remcsum') ? TUNNEL_FLAG.REMCSUM : TUNNEL_FLAG.NOCSUM;
}

function daemonConfig(draft: Draft): DaemonConfig {
  return {
    state: draft.daemonState,
    interface: draft.interface.slice(0, NAME_MAX),
    syncId: draft.syncId,
    maxLen: draft.maxLen,
    group: draft.group,
    port: draft.groupPort,
    ttl: draft.ttl,
  };
}
