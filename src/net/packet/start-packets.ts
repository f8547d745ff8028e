import type { Address } from '../../core/address.ts';
import type { Director } from '../../core/director.ts';
import { Reassembler } from '../../core/reassembly.ts';
import { native } from '../ffi/native.ts';
import { Answerer } from './answerer.ts';
import { PacketDevice } from './device.ts';
import { DeviceCounters } from './device-counters.ts';
import { DeviceRecovery } from './device-recovery.ts';
import { DirectOutput } from './direct-output.ts';
import type { Drain } from './drain.ts';
import type { CaptureWish } from './host-state/capture-sets.ts';
import { HostState } from './host-state/host-state.ts';
import { BYPASS_MARK, fwmarkDevice, MAIN_DEVICE } from './host-state/names.ts';
import type { CaptureChoice } from './host-state/shortcut.ts';
import { chooseTier, createDrain, type IoChoice, uringObstacle } from './io-tier.ts';
import { Locality } from './locality.ts';
import { createPacketCounters } from './packet-counters.ts';
import type { PacketEngine } from './packet-engine.ts';
import { PacketHandler } from './packet-handler.ts';
import { RawSender } from './raw-sender.ts';
import { Replier } from './replier.ts';
import type { TraceOptions } from './trace/option.ts';
import { PacketTrace } from './trace/packet-trace.ts';
import { PacketTracer } from './tracer.ts';
import { Transmitter } from './transmitter.ts';
import { Turns } from './turns.ts';
import { WholeOutput } from './whole-output.ts';

export interface StartOptions {
  readonly director: Director;
  readonly io: IoChoice;
  readonly capture: CaptureChoice;
  /** File and filter of a trace, or `undefined`. */
  readonly pcap: TraceOptions | undefined;
  readonly log: (line: string) => void;
  /** Milliseconds of the core's clock. */
  readonly now: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** Fragments that wait are looked after so often. */
const FRAGMENTS_MS = 1000;

/**
 * Opens the main device and prepares the host.
 * @throws DeviceError, ProgramError: what is missing, in one line; nothing is left behind then
 */
export async function startPackets(options: StartOptions): Promise<PacketEngine> {
  const engine = new Engine(options);
  await engine.start();
  return engine;
}

class Engine implements PacketEngine {
  readonly tier: string;
  private readonly options: StartOptions;
  private readonly drain: Drain;
  private readonly locality = new Locality();
  private readonly packetCounters = createPacketCounters();
  /** Of all devices, also those that were closed. */
  private readonly deviceCounters = new DeviceCounters();
  private readonly raw = new RawSender({ mark: BYPASS_MARK });
  private readonly reassembler: Reassembler;
  private readonly devices = new Map<string, PacketDevice>();
  /** Firewall marks of the devices, 0 for none. */
  private readonly marks = new Map<string, number>();
  private readonly recovery: DeviceRecovery;
  private tracer: PacketTracer | undefined;
  private handler: PacketHandler | undefined;
  private host: HostState | undefined;
  private now = 0;
  private fragmentTimer: NodeJS.Timeout | undefined;
  /** Changes of devices and of the host. */
  private readonly changes = new Turns();

  constructor(options: StartOptions) {
    this.options = options;
    const { tier, reason } = chooseTier(options.io, uringObstacle());
    this.drain = createDrain(tier);
    this.tier = `${tier} (${reason}), by ${native().name}`;
    const { log, now } = options;
    this.recovery = new DeviceRecovery({ reopen: (name) => this.reopen(name), log, now });
    this.reassembler = new Reassembler({ seed: Math.floor(options.random() * 2 ** 32) | 0 });
  }

  async start(): Promise<void> {
    const { director, capture, log, pcap } = this.options;
    if (pcap !== undefined) {
      const trace = new PacketTrace(pcap, 'uipvs', log);
      this.tracer = new PacketTracer(director, trace);
    }
    this.openDevice(MAIN_DEVICE, 0);
    try {
      this.host = await HostState.open({
        isTracked: director.settings.isOn('conntrack'),
        capture,
        log,
        onRouting: () => this.locality.forget(),
      });
      for (const line of this.host.swept) log(`left by an earlier director, removed: ${line}`);
      this.handler = this.assemble(this.host);
      for (const problem of await this.host.problems()) log(problem);
    } catch (error) {
      await this.close();
      throw error;
    }
    this.fragmentTimer = setInterval(() => this.reassembler.expire(this.options.now()), FRAGMENTS_MS);
    this.fragmentTimer.unref();
  }

  families() {
    return this.host!.families();
  }

  isLocal(address: Address): boolean {
    return this.host!.routes.isLocal(address);
  }

  /** Devices of marks are there before their packets are led to them, and go after. */
  capture(wish: CaptureWish): Promise<void> {
    return this.changes.take(() => this.bring(wish));
  }

  counters(): Readonly<Record<string, number>> {
    const dropped = Object.entries(this.reassembler.drops()).map(
      ([reason, count]) => [`fragments_${reason}`, count] as const,
    );
    return { ...this.packetCounters, ...this.deviceCounters.report(), ...Object.fromEntries(dropped) };
  }

  get captureWay(): string {
    return this.host?.captureWay ?? '';
  }

  footprint(): readonly string[] {
    return this.host?.list() ?? [];
  }

  async problems(): Promise<readonly string[]> {
    return [...this.recovery.problems(), ...((await this.host?.problems()) ?? [])];
  }

  async close(): Promise<void> {
    clearInterval(this.fragmentTimer);
    this.recovery.close();
    await this.changes.take(async () => {
      await this.host?.close();
      for (const device of this.devices.values()) await device.close();
    });
    this.devices.clear();
    this.raw.close();
    this.tracer?.close();
    this.drain.close();
  }

  private async bring(wish: CaptureWish): Promise<void> {
    const host = this.host!;
    const wanted = new Map(wish.marks.map(({ fwmark }) => [fwmarkDevice(fwmark), fwmark]));
    for (const [name, fwmark] of wanted) {
      if (this.devices.has(name)) continue;
      this.openDevice(name, fwmark);
      await host.addDevice(name);
    }
    this.locality.virtual.clear();
    for (const { addr } of wish.virtual) this.locality.virtual.add(addr);
    await host.capture(wish);
    for (const [name, device] of this.devices) {
      if (name === MAIN_DEVICE || wanted.has(name)) continue;
      this.recovery.forget(name);
      await host.removeDevice(name);
      await device.close();
      this.devices.delete(name);
      this.marks.delete(name);
    }
  }

  private openDevice(name: string, fwmark: number): void {
    const handler = {
      packet: (bytes: Uint8Array, at: number, length: number): number => {
        this.now ||= this.tick();
        return this.handler?.packet(bytes, at, length, fwmark, this.now) ?? length;
      },
      batchEnd: (): void => {
        this.now = 0;
        this.tracer?.batchEnd();
      },
    };
    const onLost = (code: string): void => this.recovery.lost(name, code);
    const counters = this.deviceCounters;
    this.devices.set(name, new PacketDevice({ name, drain: this.drain, handler, counters, onLost }));
    this.marks.set(name, fwmark);
  }

  /** Puts a new device in the place of one that was lost. */
  private reopen(name: string): Promise<void> {
    return this.changes.take(async () => {
      const lost = this.devices.get(name);
      if (!lost) return;
      await lost.close();
      this.openDevice(name, this.marks.get(name)!);
      await this.host?.renewDevice(name);
    });
  }

  /** The time of a batch. */
  private tick(): number {
    this.locality.refresh();
    return this.options.now();
  }

  private assemble({ routes }: HostState): PacketHandler {
    const { director, now, random } = this.options;
    const { locality, raw, reassembler, tracer, packetCounters: counters } = this;
    const send = (bytes: Uint8Array, at: number, length: number): void =>
      this.devices.get(MAIN_DEVICE)!.send(bytes, at, length);
    const answer = (bytes: Uint8Array, at: number, length: number): void => {
      tracer?.after(bytes, at, length);
      send(bytes, at, length);
    };
    const answerer = new Answerer({ director, routes, locality, counters, now, send: answer });
    const output = new DirectOutput({ raw, counters, random, tracer });
    const transmitter = new Transmitter({ director, routes, answerer, output, counters });
    const replier = new Replier({ director, locality, counters });
    const wholeOutput = new WholeOutput(send);
    return new PacketHandler({
      director,
      locality,
      transmitter,
      replier,
      answerer,
      reassembler,
      wholeOutput,
      counters,
      tracer,
    });
  }
}
