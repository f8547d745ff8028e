import type { Command } from '../core/commands.ts';
import { DAEMON_STATE, type DaemonConfig } from '../core/config.ts';
import type { Director } from '../core/director.ts';
import { ERRNO, type Errno, IpvsError } from '../core/errors.ts';
import { SyncIntake } from '../core/sync-intake.ts';
import { SyncOffers } from '../core/sync-offers.ts';
import { DeviceError } from '../net/device-error.ts';
import { SyncBackup } from './backup.ts';
import { type GroupConfig, interfaceIndex } from './group-socket.ts';
import { LogLimit } from './log-limit.ts';
import { SyncMaster } from './master.ts';
import { SyncCounters } from './sync-counters.ts';
import type { SyncParts } from './sync-parts.ts';

/** How often is looked whether the interfaces are still the same. */
const WATCH_MS = 1000;
const MOST_PORTS = 64;

export interface SyncServiceOptions {
  readonly director: Director;
  /** Milliseconds of the core's clock. */
  readonly now: () => number;
  readonly log: (line: string) => void;
}

interface Running {
  readonly config: GroupConfig;
  readonly daemon: SyncMaster | SyncBackup;
  /** Of its interface when the sockets were opened; 0 while they are not. */
  interfaceIndex: number;
  /** Why the sockets are not open; '' while they are. */
  problem: string;
  /** The errno of the problem. */
  errno: string;
}

/** Runs the synchronisation daemons as the director is configured, and keeps them running when interfaces come and go. */
export class SyncService {
  private readonly parts: SyncParts;
  private readonly log: (line: string) => void;
  private readonly running = new Map<number, Running>();
  private readonly watch: NodeJS.Timeout;
  private offers: SyncOffers | undefined;
  private ports = 1;

  constructor({ director, now, log }: SyncServiceOptions) {
    const { life, settings, timeouts, config } = director;
    this.parts = {
      director,
      intake: new SyncIntake({ life, settings, timeouts, services: config.services }),
      counters: new SyncCounters(),
      problems: new LogLimit(log, now),
      now,
    };
    this.log = log;
    this.watch = setInterval(() => this.lookAtInterfaces(), WATCH_MS);
    this.watch.unref();
  }

  /**
   * To be called when a change was applied to the director.
   * @throws IpvsError if a daemon that was started now cannot open its sockets; it is stopped again then
   */
  follow(command: Command): void {
    if (command.op !== 'start-daemon' && command.op !== 'stop-daemon') return;
    this.reconcile();
    if (command.op === 'stop-daemon') return;
    const { state } = command.daemon;
    const started = this.running.get(state);
    if (started === undefined || started.problem === '') return;
    this.parts.director.apply({ op: 'stop-daemon', state }, this.parts.now());
    this.reconcile();
    throw refusal(started);
  }

  /** Starts and stops daemons so that they are those of the director. Sockets that cannot be opened are tried again. */
  reconcile(): void {
    const wanted = this.parts.director.daemons.list();
    for (const [state, { config, daemon }] of this.running) {
      if (wanted.some((each) => each === config)) continue;
      daemon.close();
      this.running.delete(state);
      if (state === DAEMON_STATE.MASTER) this.setOffers(undefined);
    }
    for (const config of wanted) {
      if (this.running.has(config.state) || !hasGroup(config)) continue;
      if (this.running.size === 0) this.ports = portCount(this.parts.director.settings.number('sync_ports'));
      const running = this.create(config);
      this.running.set(config.state, running);
      this.open(running);
    }
  }

  /** As `uipvs status` shows them. */
  counters(): Readonly<Record<string, number>> {
    return this.parts.counters.read();
  }

  /** Why daemons that should run do not, one line each. */
  problems(): readonly string[] {
    return Array.from(this.running.values(), ({ problem }) => problem).filter((problem) => problem !== '');
  }

  stop(): void {
    clearInterval(this.watch);
    for (const { daemon } of this.running.values()) daemon.close();
    this.running.clear();
    this.setOffers(undefined);
  }

  private create(config: GroupConfig): Running {
    const { parts, ports } = this;
    if (config.state !== DAEMON_STATE.MASTER) {
      const daemon = new SyncBackup(parts, config, ports, () => this.offers);
      return { config, daemon, interfaceIndex: 0, problem: '', errno: '' };
    }
    const daemon = new SyncMaster(parts, config, ports);
    const { life, settings } = parts.director;
    this.setOffers(new SyncOffers(life.conns, settings, daemon));
    return { config, daemon, interfaceIndex: 0, problem: '', errno: '' };
  }

  private setOffers(offers: SyncOffers | undefined): void {
    this.offers = offers;
    this.parts.director.setSyncOffers(offers);
  }

  private open(running: Running): void {
    const { config, daemon } = running;
    const name = daemonName(config);
    try {
      daemon.open();
      running.interfaceIndex = interfaceIndex(config.interface);
      if (running.problem !== '') this.log(`sync: ${name} on ${config.interface} runs again`);
      running.problem = '';
    } catch (error) {
      if (!(error instanceof DeviceError)) throw error;
      const problem = `${name} on ${config.interface}: ${error.message}`;
      if (running.problem !== problem) this.log(`sync: ${problem}`);
      running.problem = problem;
      running.errno = error.code;
    }
  }

  private lookAtInterfaces(): void {
    for (const running of this.running.values()) {
      const { interface: name } = running.config;
      if (running.problem !== '' || interfaceIndex(name) !== running.interfaceIndex) this.open(running);
    }
  }
}

const hasGroup = (config: DaemonConfig): config is GroupConfig => config.group !== undefined;

const daemonName = ({ state }: DaemonConfig): string => (state === DAEMON_STATE.MASTER ? 'master' : 'backup');

/** A power of two, 64 at the most. */
const portCount = (wanted: number): number => Math.min(wanted, MOST_PORTS);

function refusal({ problem, errno }: Running): IpvsError {
  return new IpvsError(errno in ERRNO ? (errno as Errno) : 'EIO', problem);
}
