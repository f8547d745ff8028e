import { AF_INET, type Family } from '../../../core/address.ts';
import { Capture } from './capture.ts';
import type { CaptureWish } from './capture-sets.ts';
import { ChangeWatch, WATCH } from './change-watch.ts';
import { DeviceSlots } from './device-slots.ts';
import { FAMILIES } from './families.ts';
import { Footprint, sweep } from './footprint.ts';
import { MAIN_DEVICE } from './names.ts';
import { NetlinkSocket } from './netlink-socket.ts';
import { tellsChainChange, tellsDeviceDown, tellsRuleDeletion, tellsTableDeletion } from './nfnetlink.ts';
import { firewallProblems, hasIpv6, hasStrictPaths, networkSetting, settingProblems } from './problems.ts';
import { SerialPrograms } from './programs.ts';
import { Routes } from './routes.ts';
import { type CaptureChoice, Shortcut } from './shortcut.ts';

/** Changes come in flocks: after the first, others are waited for so long. */
const MEND_DELAY_MS = 100;

export interface HostStateOptions {
  /** Services' packets are seen by connection tracking (net.ipv4.vs.conntrack). */
  readonly isTracked: boolean;
  readonly capture: CaptureChoice;
  /** For what happens to the host's network later: a line for the log. */
  readonly log: (line: string) => void;
  /** Addresses, links, routes or rules have changed. */
  readonly onRouting?: () => void;
}

/**
 * The host's network as the director needs it: devices that captured packets are led to, what is captured, routes. To be
 * opened when the main device is: a second director in the same network namespace has failed to open it by then.
 */
export class HostState {
  readonly routes: Routes;
  /** What earlier directors had left behind, one thing a line. */
  readonly swept: readonly string[];
  private readonly options: HostStateOptions;
  private readonly programs = new SerialPrograms();
  private readonly kernel = new NetlinkSocket();
  private readonly slots = new DeviceSlots();
  private readonly footprint: Footprint;
  private readonly capturing: Capture;
  private readonly shortcut: Shortcut;
  private readonly isStrict = hasStrictPaths();
  private captureProblems: readonly string[] = [];
  private watches: readonly ChangeWatch[] = [];
  /** A device was told to be down since devices were looked at. */
  private isDeviceDown = false;
  private mendTimer: NodeJS.Timeout | undefined;
  /** What is being put back. */
  private mending: Promise<void> = Promise.resolve();

  private constructor(options: HostStateOptions, swept: readonly string[]) {
    this.options = options;
    this.swept = swept;
    this.routes = new Routes(this.kernel, (device) => networkSetting(`ipv6/conf/${device}/mtu`));
    const { programs, slots } = this;
    this.footprint = new Footprint({ programs, slots, devices: this.kernel });
    this.capturing = new Capture({ programs, slots, footprint: this.footprint });
    const { capture: choice, isTracked, log } = options;
    const families = () => this.families();
    this.shortcut = new Shortcut({ choice, isTracked, programs, kernel: this.kernel, families, log });
  }

  /**
   * Sets up the main device, which must be open.
   * @throws ProgramError, DeviceError: what is missing, in one line
   */
  static async open(options: HostStateOptions): Promise<HostState> {
    const state = new HostState(options, await sweep(new SerialPrograms()));
    try {
      await state.start();
    } catch (error) {
      await state.close();
      throw error;
    }
    return state;
  }

  /** Families whose packets can be captured. */
  families(): readonly Family[] {
    return [...this.capturing.ways().keys()];
  }

  /** Sets up the device of a firewall mark, which must be open; its packets are captured when wished by `capture`. */
  async addDevice(device: string): Promise<void> {
    await this.footprint.addDevice(device, { hasIpv6: hasIpv6(device), isStrict: this.isStrict });
  }

  /** Sets up a device that was lost and is open again, the main one included, and captures for it as before. */
  async renewDevice(device: string): Promise<void> {
    await this.addDevice(device);
    await this.capturing.renew();
    await this.shortcut.reconsider();
  }

  /** To be called before the device is closed, and after its mark is no longer wished. */
  async removeDevice(device: string): Promise<void> {
    await this.footprint.removeDevice(device);
  }

  /** Lets the host hand over just what is wished. Many wishes in a row are brought into effect together. */
  async capture(wish: CaptureWish): Promise<void> {
    await this.capturing.apply(wish);
    this.shortcut.apply(wish);
  }

  /** Which way packets are captured, and why so. */
  get captureWay(): string {
    return this.shortcut.way;
  }

  /** All that was changed on the host, one thing a line. */
  list(): string[] {
    return [...this.footprint.list(), ...this.shortcut.list()];
  }

  /** What on this host stands against the director, one line each. */
  async problems(): Promise<string[]> {
    const limits = [...this.capturing.ways()].flatMap(([family, way]) =>
      family === AF_INET && way === 'guessed'
        ? [
            'nft or the kernel lacks socket, fib or dup expressions: real servers and clients on the director itself are not served',
          ]
        : [],
    );
    const wantsIpv6 = hasIpv6(MAIN_DEVICE);
    return [
      ...this.captureProblems,
      ...limits,
      ...this.shortcut.problems(),
      ...settingProblems(wantsIpv6, this.isStrict),
      ...(await firewallProblems(this.programs)),
    ];
  }

  /** Takes back all that was changed, but the devices, which are to be closed next. */
  async close(): Promise<void> {
    for (const watch of this.watches) await watch.close();
    clearTimeout(this.mendTimer);
    this.shortcut.close();
    // Nothing is put back once all is taken back.
    await this.capturing.end();
    await this.mending;
    this.kernel.close();
    await this.footprint.undo();
  }

  private async start(): Promise<void> {
    const options = { marksReturns: this.isStrict, isTracked: this.options.isTracked };
    await this.addDevice(MAIN_DEVICE);
    const families = hasIpv6(MAIN_DEVICE) ? FAMILIES : [AF_INET as Family];
    this.captureProblems = await this.capturing.start(families, options);
    await this.shortcut.start();
    this.watches = [
      new ChangeWatch(WATCH.ROUTING, (notice) => this.onRouting(notice)),
      new ChangeWatch(WATCH.NFTABLES, (notice) => {
        if (!notice || tellsTableDeletion(notice) || this.concernsShortcut(notice)) this.mendSoon();
      }),
    ];
  }

  private concernsShortcut(notice: Uint8Array): boolean {
    return this.shortcut.mindsChains && tellsChainChange(notice);
  }

  private onRouting(notice: Uint8Array | undefined): void {
    this.routes.forget();
    this.options.onRouting?.();
    this.shortcut.notice(notice);
    if (!notice || tellsDeviceDown(notice)) this.isDeviceDown = true;
    if (this.isDeviceDown || !notice || tellsRuleDeletion(notice)) this.mendSoon();
  }

  /** What others removed is put back. What the director itself replaces looks the same and is found in order. */
  private mendSoon(): void {
    this.mendTimer ??= setTimeout(() => {
      this.mendTimer = undefined;
      this.mending = this.mend().catch((error: Error) =>
        this.options.log(`capture is not in order: ${error.message}`),
      );
    }, MEND_DELAY_MS);
  }

  private async mend(): Promise<void> {
    if (this.isDeviceDown) {
      this.isDeviceDown = false;
      await this.footprint.mendDevices((device) => this.kernel.isDown(device));
    }
    await this.footprint.mendRules();
    await this.capturing.mend();
    if (this.shortcut.mindsChains) await this.shortcut.reconsider();
  }
}
