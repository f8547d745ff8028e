import { type Address, AF_INET, type Family } from '../../src/core/address.ts';
import { Destination } from '../../src/core/destination.ts';
import type { Flow } from '../../src/core/flow.ts';
import {
  NO_DEST,
  type Scheduler,
  type SchedulerContext,
  type SchedulerSpec,
} from '../../src/core/scheduler.ts';
import { Service } from '../../src/core/service.ts';
import { Settings } from '../../src/core/settings.ts';
import { SCHEDULERS } from '../../src/schedulers/registry.ts';
import { address, destConfig, flowTo, seededRandom, serviceConfig } from '../support/core.ts';

export type ServerState = Partial<
  Pick<Destination, 'weight' | 'lastWeight' | 'active' | 'inactive' | 'overloaded' | 'available'>
>;

/** A server at 10.2.0.`n`:8080, or at `at.ip` and `at.port`; `lastWeight` is the weight unless given. */
export function server(
  n: number,
  state: ServerState = {},
  at: { ip?: string; port?: number } = {},
): Destination {
  const service = new Service(serviceConfig(), 0, undefined);
  const dest = new Destination(0, service, destConfig(n, { ...at, weight: state.weight ?? 1 }));
  return Object.assign(dest, state);
}

/** A service's list, newest first, with its scheduler; changes go to the list and then to the scheduler's hook. */
export class Bench {
  readonly dests: Destination[];
  flags = 0;
  readonly settings = new Settings();
  readonly scheduler: Scheduler;

  constructor(spec: SchedulerSpec, dests: readonly Destination[], context: Partial<SchedulerContext> = {}) {
    this.dests = [...dests];
    this.scheduler = spec.create(this.dests, {
      family: AF_INET as Family,
      flags: () => this.flags,
      random: seededRandom(7),
      setting: (name) => this.settings.number(name),
      ...context,
    });
  }

  add(dest: Destination): void {
    dest.available = true;
    this.dests.unshift(dest);
    this.scheduler.added?.(this.dests);
  }

  remove(at: number): Destination {
    const gone = this.dests.splice(at, 1)[0]!;
    gone.available = false;
    this.scheduler.removed?.(this.dests, at);
    return gone;
  }

  edit(at: number, weight: number): void {
    const dest = this.dests[at]!;
    dest.weight = weight;
    if (weight !== 0) dest.lastWeight = weight;
    this.scheduler.edited?.(this.dests, at);
  }

  /** @returns the chosen server, or `undefined` */
  choose(flow: Flow = ANY_FLOW, now = 0): Destination | undefined {
    const at = this.scheduler.schedule(this.dests, flow, now);
    return at === NO_DEST ? undefined : this.dests[at]!;
  }

  /** The last numbers of the chosen servers' addresses, `-` for none. */
  choices(flows: readonly Flow[], now = 0): string {
    return flows
      .map((flow) => this.choose(flow, now))
      .map((dest) => (dest ? numberOf(dest) : '-'))
      .join('');
  }
}

export function specOf(name: string): SchedulerSpec {
  const spec = SCHEDULERS.find((each) => each.name === name);
  if (!spec) throw new Error(`no scheduler is named ${name}`);
  return spec;
}

export const numberOf = (dest: Destination): number => {
  const { family, words } = dest.addr;
  return words[family === AF_INET ? 0 : 3] & 255;
};

export const ANY_FLOW: Flow = flowTo(serviceConfig(), 4000);

export const flowFrom = (client: string, cport = 4000): Flow => ({
  ...ANY_FLOW,
  caddr: address(client),
  cport,
});
export const flowToAddress = (vaddr: string | Address): Flow => ({
  ...ANY_FLOW,
  vaddr: typeof vaddr === 'string' ? address(vaddr) : vaddr,
});
