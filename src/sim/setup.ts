import { type Address, AF_INET, formatAddress, ipv4, ipv6, sameAddress } from '../core/address.ts';
import type { Command } from '../core/commands.ts';
import { type DestConfig, type DestKey, PROTOCOL, SERVICE_FLAG, type ServiceKey } from '../core/config.ts';
import { sameService } from '../core/configuration.ts';
import { Director } from '../core/director.ts';
import type { Host } from '../core/host.ts';
import type { SchedulerSpec } from '../core/scheduler.ts';
import type { Service } from '../core/service.ts';
import { describeService } from '../core/service.ts';
import { SimulationProblem } from './problem.ts';
import type { Random } from './random.ts';
import type { Workload } from './workload.ts';

/** A machine without interfaces, on which every address is somebody else's. */
const NOWHERE: Host = {
  isLocal: () => false,
  isBroadcast: () => false,
  interfaceMtu: () => 1500,
  multicastProblem: () => undefined,
};

/** The address and port that packets of a fwmark service are sent to. */
const MARKED = { port: 80, v4: ipv4(0xc0000201), v6: ipv6(0x20010db8, 0, 0xffff, 1) } as const;

/** Rules with the one service that the workload runs against. */
export interface Scene {
  readonly commands: readonly Command[];
  readonly service: ServiceKey;
  readonly scheduler: string;
  /** Where its clients send to. */
  readonly vaddr: Address;
  readonly vport: number;
  /** Servers of the service, and those that only the churn adds, in that order. */
  readonly servers: readonly DestConfig[];
  /** How many of them are there at the start. */
  readonly atStart: number;
}

/** @returns `10.0.0.2:80`, `[2001:db8::2]:80` */
export function serverName({ addr, port }: DestKey): string {
  const host = formatAddress(addr);
  return addr.family === AF_INET ? `${host}:${port}` : `[${host}]:${port}`;
}

export const sameServer = (a: DestKey, b: DestKey): boolean =>
  a.port === b.port && sameAddress(a.addr, b.addr);

/** @throws IpvsError if the rules are refused */
export function makeDirector(
  commands: readonly Command[],
  schedulers: readonly SchedulerSpec[],
  random: Random,
  connMax: number,
  onExpired?: (id: number) => void,
): Director {
  const director = new Director({
    schedulers,
    random,
    host: NOWHERE,
    connMax,
    now: 0,
    ...(onExpired && { onExpired }),
  });
  for (const command of commands) director.apply(command, 0);
  return director;
}

/**
 * Finds what is to be simulated.
 * @param wanted the service, `undefined` if the rules have one only
 * @param scheduler in place of the service's own
 * @throws SimulationProblem
 */
export function makeScene(
  commands: readonly Command[],
  workload: Workload,
  schedulers: readonly SchedulerSpec[],
  wanted: ServiceKey | undefined,
  scheduler: string | undefined,
): Scene {
  if (scheduler !== undefined && !schedulers.some(({ name }) => name === scheduler)) {
    throw new SimulationProblem(`there is no scheduler '${scheduler}'`);
  }
  const director = makeDirector(commands, schedulers, () => 0, 1);
  const service = pickService([...director.services()], wanted);
  checkService(service, workload);
  checkClients(service, workload);
  const changed =
    scheduler === undefined ? commands : commands.map((c) => withScheduler(c, service, scheduler));
  const present = service.dests.map((dest) => dest.config()).reverse();
  if (present.length === 0) throw new SimulationProblem(`${nameOf(service)} has no servers`);
  const added = addedServers(workload, present);
  checkNamed(workload, [...present, ...added]);
  const isV4 = service.family === AF_INET;
  return {
    commands: changed,
    service: service.config(),
    scheduler: scheduler ?? service.schedulerName,
    vaddr: service.fwmark === 0 ? service.addr : isV4 ? MARKED.v4 : MARKED.v6,
    vport: service.fwmark === 0 && service.port !== 0 ? service.port : MARKED.port,
    servers: [...present, ...added],
    atStart: present.length,
  };
}

const nameOf = (service: ServiceKey): string => describeService(service, formatAddress);

function pickService(services: readonly Service[], wanted: ServiceKey | undefined): Service {
  if (wanted) {
    const found = services.find((service) => sameService(service, wanted));
    if (!found) throw new SimulationProblem(`the rules have no service ${nameOf(wanted)}`, 'service:');
    return found;
  }
  if (services.length === 1) return services[0]!;
  if (services.length === 0) throw new SimulationProblem('the rules have no service');
  throw new SimulationProblem(
    `the rules have ${services.length} services (${services.map(nameOf).join(', ')}): say which one by 'service'`,
  );
}

function checkService(service: Service, { model }: Workload): void {
  if ((service.flags & SERVICE_FLAG.ONE_PACKET) !== 0) {
    throw new SimulationProblem(`${nameOf(service)}: one-packet scheduling is not simulated`);
  }
  if (service.isPersistent && model === 'counters') {
    throw new SimulationProblem(`${nameOf(service)} is persistent, which needs 'model: entries'`, 'model:');
  }
  if (service.protocol === PROTOCOL.SCTP && model === 'entries') {
    throw new SimulationProblem(
      `${nameOf(service)}: SCTP is simulated with 'model: counters' only`,
      'model:',
    );
  }
}

function checkClients(service: Service, { arrivals }: Workload): void {
  const known = arrivals.kind === 'trace' ? arrivals.addresses : undefined;
  if (known?.some(({ family }) => family !== service.family)) {
    throw new SimulationProblem(
      `${nameOf(service)} and the clients of the trace are of two address families`,
      'arrivals:',
    );
  }
}

function withScheduler(command: Command, service: Service, scheduler: string): Command {
  const isService = command.op === 'add-service' || command.op === 'edit-service';
  if (!isService || !sameService(command.service, service)) return command;
  return { ...command, service: { ...command.service, scheduler } };
}

function addedServers({ churn }: Workload, present: readonly DestConfig[]): DestConfig[] {
  const added: DestConfig[] = [];
  for (const deed of churn) {
    if (deed.kind !== 'add' && deed.kind !== 'slow-start') continue;
    if ([...present, ...added].some((server) => sameServer(server, deed.server))) continue;
    added.push({ ...present[0]!, ...deed.server, weight: deed.weight });
  }
  return added;
}

function checkNamed(workload: Workload, servers: readonly DestKey[]): void {
  const named = [...workload.servers.each, ...workload.churn].map(({ server }) => server);
  const unknown = named.find((server) => !servers.some((each) => sameServer(each, server)));
  if (!unknown) return;
  const name = serverName(unknown);
  throw new SimulationProblem(`the service has no server ${name}`, name);
}
