import { PROTOCOL, type ServiceKey } from '../core/config.ts';
import type { Relay, RelayListener, TcpRelay, UdpRelay } from './relay.ts';
import { endpoint } from './servable.ts';

export interface Relays {
  readonly tcp: TcpRelay;
  readonly udp: UdpRelay;
}

/** How long a listener that could not be opened is left alone: less than the second after which it is tried. */
const REST_MS = 900;

/** A virtual service's listener, or why there is none. */
class Binding {
  listener: RelayListener | undefined;
  failure: string | undefined;
  /** Kept until then though no server is configured yet; ms. */
  heldUntil = 0;
  /** No new attempt before; ms. */
  retryAt = 0;
  readonly protocol: number;

  constructor(protocol: number) {
    this.protocol = protocol;
  }
}

/** The listeners of virtual services. Calls must not overlap. */
export class Bindings {
  private readonly relays: Relays;
  private readonly byKey = new Map<string, Binding>();
  /** Services are asked for at each change of any of them. */
  private readonly keys = new WeakMap<ServiceKey, string>();

  constructor(relays: Relays) {
    this.relays = relays;
  }

  count(protocol: number): number {
    let listening = 0;
    for (const binding of this.byKey.values())
      if (binding.protocol === protocol && binding.listener) listening++;
    return listening;
  }

  /** True while something should listen and does not, or listens for a server still to come. */
  get unsettled(): boolean {
    for (const binding of this.byKey.values())
      if (binding.listener === undefined || binding.heldUntil > 0) return true;
    return false;
  }

  /** @returns the errno's name for which the service is not listening, or `undefined` if it is. */
  failure(service: ServiceKey): string | undefined {
    const binding = this.byKey.get(this.key(service));
    return binding?.listener === undefined ? (binding?.failure ?? 'EADDRNOTAVAIL') : binding.listener.failure;
  }

  has(service: ServiceKey): boolean {
    return this.byKey.get(this.key(service))?.listener !== undefined;
  }

  /** As `bind`, for each that listens not and was not tried lately: there may be thousands on a standby director. */
  async bindAll(services: readonly ServiceKey[], now: number): Promise<void> {
    for (const service of services) {
      const binding = this.byKey.get(this.key(service));
      if (binding === undefined || (binding.listener === undefined && binding.retryAt <= now))
        await this.bind(service, now);
    }
  }

  /** Listens unless it does. @returns the errno's name of the failure, or `undefined`. */
  async bind(service: ServiceKey, now: number): Promise<string | undefined> {
    const key = this.key(service);
    const binding = this.byKey.get(key) ?? new Binding(service.protocol);
    this.byKey.set(key, binding);
    if (binding.listener !== undefined) return undefined;
    try {
      binding.listener = await this.relay(service.protocol).listen(service.addr, service.port);
      binding.failure = undefined;
    } catch (error) {
      binding.failure = errorCode(error);
      binding.retryAt = now + REST_MS;
    }
    return binding.failure;
  }

  /** Keeps what `bind` made until `untilMs`, whatever `retain` is told. */
  hold(service: ServiceKey, untilMs: number): void {
    const binding = this.byKey.get(this.key(service));
    if (binding !== undefined) binding.heldUntil = untilMs;
  }

  async release(service: ServiceKey): Promise<void> {
    await this.drop(this.key(service));
  }

  /** Closes all that is neither of `services` nor held beyond `heldUntil`. */
  async retain(services: readonly ServiceKey[], heldUntil: number): Promise<void> {
    const wanted = new Set(services.map((service) => this.key(service)));
    for (const [key, binding] of [...this.byKey]) {
      if (wanted.has(key)) binding.heldUntil = 0;
      else if (binding.heldUntil <= heldUntil) await this.drop(key);
    }
  }

  /** As `retain`, for one service that is not wanted. */
  async dropUnlessHeld(service: ServiceKey, heldUntil: number): Promise<void> {
    const key = this.key(service);
    const binding = this.byKey.get(key);
    if (binding !== undefined && binding.heldUntil <= heldUntil) await this.drop(key);
  }

  /** Closes all listeners of a protocol. */
  async close(protocol: number): Promise<void> {
    for (const [key, binding] of [...this.byKey]) if (binding.protocol === protocol) await this.drop(key);
  }

  /** Listens once and closes again. @returns the errno's name of the failure, or `undefined`. */
  async probe(service: ServiceKey): Promise<string | undefined> {
    try {
      await (await this.relay(service.protocol).listen(service.addr, service.port)).close();
      return undefined;
    } catch (error) {
      return errorCode(error);
    }
  }

  private async drop(key: string): Promise<void> {
    const binding = this.byKey.get(key);
    this.byKey.delete(key);
    await binding?.listener?.close();
  }

  private relay(protocol: number): Relay {
    return protocol === PROTOCOL.TCP ? this.relays.tcp : this.relays.udp;
  }

  private key(service: ServiceKey): string {
    let key = this.keys.get(service);
    if (key === undefined) {
      key = `${service.protocol} ${endpoint(service.addr, service.port)}`;
      this.keys.set(service, key);
    }
    return key;
  }
}

function errorCode(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'EIO';
}
