import { type Address, formatAddress, isUnspecified } from '../../core/address.ts';
import type { Command, ServingState } from '../../core/commands.ts';
import { METHOD, type ServiceKey } from '../../core/config.ts';
import type { Director } from '../../core/director.ts';
import { IpvsError } from '../../core/errors.ts';
import type { Plane } from '../plane.ts';
import type { ServicesView, ServiceView } from '../service-view.ts';
import { captureList, familyName, type Remainder } from './capture-list.ts';
import { Coalesced } from './coalesced.ts';
import type { CaptureWish } from './host-state/capture-sets.ts';
import type { PacketEngine } from './packet-engine.ts';

/** How often is looked whether connections of deleted servers have ended. */
const REMAINDERS_MS = 5000;

/** Changes after which the host may have to hand over other packets. */
const CONCERNS_CAPTURE: ReadonlySet<Command['op']> = new Set([
  'add-service',
  'edit-service',
  'delete-service',
  'add-dest',
  'edit-dest',
  'delete-dest',
  'flush',
]);

export interface PacketPlaneOptions {
  readonly director: Director;
  readonly services: ServicesView;
  /** Opens devices and prepares the host; rejects with a line for people if that cannot be. */
  readonly start: () => Promise<PacketEngine>;
  readonly log: (line: string) => void;
}

/** Serves services by the packets themselves, through TUN devices. The host is left alone until there is a service. */
export class PacketPlane implements Plane {
  private readonly options: PacketPlaneOptions;
  private starting: Promise<PacketEngine> | undefined;
  private engine: PacketEngine | undefined;
  /** Why the last start, or the last change of what is captured, failed. */
  private failure = '';
  /** Deleted servers of this plane whose connections go on. */
  private remainders: readonly Remainder[] = [];
  /** Keys of the services that this plane has had. */
  private readonly known = new Set<string>();
  private readonly timer: NodeJS.Timeout;
  private stopped = false;
  /** Changes that come while the host is told of others are told together. */
  private readonly captures = new Coalesced(() => this.capture());

  constructor(options: PacketPlaneOptions) {
    this.options = options;
    this.timer = setInterval(() => this.lookForRemainders(), REMAINDERS_MS);
    this.timer.unref();
  }

  /** Starts before there is a service. Rejects with IpvsError that says what is missing. */
  async open(): Promise<void> {
    await this.started();
  }

  async prepare(command: Command): Promise<void> {
    if (!CONCERNS_CAPTURE.has(command.op) || !('service' in command) || command.service === undefined) return;
    const engine = await this.started();
    const { family } = command.service;
    if (!engine.families().includes(family))
      throw new IpvsError('EAFNOSUPPORT', `${familyName(family)} packets cannot be captured on this host`);
  }

  async reconcile(command: Command | undefined): Promise<void> {
    if (command !== undefined && !CONCERNS_CAPTURE.has(command.op)) return;
    if (this.stopped) return;
    if (this.engine === undefined && this.isIdle()) return;
    await this.captures.run();
  }

  /** For all changes since it began last. */
  private async capture(): Promise<void> {
    if (this.stopped) return;
    try {
      const engine = await this.started();
      await engine.capture(this.wish((address) => engine.isLocal(address)));
      this.failure = '';
    } catch (error) {
      this.failure = error instanceof Error ? error.message : String(error);
      this.options.log(`packet plane: ${this.failure}`);
    }
  }

  states(): readonly ServingState[] {
    return Array.from(this.options.services.all(), (service) => ({
      service,
      plane: 'packet',
      state: this.stateOf(service),
    }));
  }

  counters(): Readonly<Record<string, number>> {
    const dropped = Object.entries(this.options.director.drops()).map(
      ([reason, count]) => [`dropped_${reason}`, count] as const,
    );
    return { ...this.engine?.counters(), ...Object.fromEntries(dropped) };
  }

  /** How packets are moved and why so; `undefined` while there is no service. */
  get tier(): string | undefined {
    return this.engine?.tier;
  }

  /** Which way packets are captured and why so; `undefined` while there is no service. */
  get captureWay(): string | undefined {
    return this.engine?.captureWay;
  }

  /** What was changed on the host, one thing a line. */
  footprint(): readonly string[] {
    return this.engine?.footprint() ?? [];
  }

  /** What on this host stands against the plane, one line each. */
  async problems(): Promise<readonly string[]> {
    const found = (await this.engine?.problems()) ?? [];
    return this.failure === '' ? found : [this.failure, ...found];
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearInterval(this.timer);
    const engine = await this.starting?.catch(() => undefined);
    await engine?.close();
  }

  expired(): void {
    // No sockets hang on entries here.
  }

  private stateOf(service: ServiceView): string {
    if (this.failure !== '') return `unservable: ${this.failure}`;
    if (this.engine !== undefined && !this.engine.families().includes(service.family))
      return `unservable: ${familyName(service.family)} packets cannot be captured`;
    if (service.fwmark === 0 && isUnspecified(service.addr)) return 'unservable: address 0.0.0.0';
    return service.dests.length === 0 ? 'no servers' : 'served';
  }

  private async started(): Promise<PacketEngine> {
    this.starting ??= this.options.start();
    try {
      this.engine = await this.starting;
      return this.engine;
    } catch (error) {
      this.starting = undefined;
      throw new IpvsError('EOPNOTSUPP', `no packet plane: ${error instanceof Error ? error.message : error}`);
    }
  }

  private isIdle(): boolean {
    for (const _ of this.options.services.all()) return false;
    return true;
  }

  private wish(isLocal: (address: Address) => boolean): CaptureWish {
    const services = Array.from(this.options.services.all());
    for (const service of services) this.known.add(keyOf(service));
    this.remainders = Array.from(this.options.director.config.trash.referenced()).filter((dest) =>
      this.known.has(keyOf(dest.service)),
    );
    const tunnelServers: Address[] = services.flatMap((service) =>
      service.dests.filter((dest) => dest.method === METHOD.TUNNEL).map((dest) => dest.addr),
    );
    return { ...captureList(services, this.remainders, isLocal), tunnelServers };
  }

  private lookForRemainders(): void {
    if (this.remainders.length === 0 || this.engine === undefined) return;
    void this.reconcile(undefined);
  }
}

const keyOf = ({ family, protocol, addr, port, fwmark }: ServiceKey): string =>
  fwmark !== 0 ? `${family} ${fwmark}` : `${protocol} ${formatAddress(addr)} ${port}`;
