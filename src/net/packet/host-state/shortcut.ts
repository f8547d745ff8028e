import type { Family } from '../../../core/address.ts';
import { DeviceError } from '../../device-error.ts';
import { familyName } from '../capture-list.ts';
import { ownAddresses } from '../own-addresses.ts';
import { captureEntries } from '../tcx/capture-map.ts';
import { Redirect } from '../tcx/redirect.ts';
import type { CaptureWish } from './capture-sets.ts';
import { DEVICE_PREFIX, MAIN_DEVICE } from './names.ts';
import { deletedDevices, tellsDeviceChange } from './nfnetlink.ts';
import { firewallsOnTheWay, hasStrictPath } from './problems.ts';
import type { ProgramRunner } from './programs.ts';
import type { LinkAnswer } from './rtnetlink.ts';

/** What `--capture` may say. */
export const CAPTURE_CHOICES = ['auto', 'nft', 'tcx'] as const;

export type CaptureChoice = (typeof CAPTURE_CHOICES)[number];

/** Changes of devices come in flocks. */
const FOLLOW_DELAY_MS = 20;

const ETHERNET = 1;

const MAIN_GONE = 'the main device is gone';

const NOTHING: CaptureWish = { virtual: [], servers: [], marks: [] };

export interface ShortcutOptions {
  readonly choice: CaptureChoice;
  /** Services' packets are to be seen by connection tracking, which a redirect leaves out. */
  readonly isTracked: boolean;
  readonly programs: ProgramRunner;
  readonly kernel: { links(): LinkAnswer[] };
  /** Families that the rules of nft capture, too. */
  readonly families: () => readonly Family[];
  readonly log: (line: string) => void;
  /** Loads the program for a device; for tests. */
  readonly open?: (device: number) => RedirectPort;
  /** Whether a device checks reverse paths strictly; for tests. */
  readonly isStrict?: (device: string) => boolean;
}

export type RedirectPort = Pick<Redirect, 'set' | 'attach' | 'detach' | 'devices' | 'close'>;

/**
 * The short way of packets to the main device: redirected by a TCX program as they come in, past the rules of nft, routing
 * and all else. The rules stay, for what the program leaves to them and for devices that it is not on.
 */
export class Shortcut {
  private readonly options: ShortcutOptions;
  private redirect: RedirectPort | undefined;
  /** Why there is none; '' if there is. */
  private reason = '';
  private wish = NOTHING;
  /** Names by index of the devices that the program is on. */
  private names = new Map<number, string>();
  /** Devices that the rules of nft serve alone, and why. */
  private readonly left = new Map<string, string>();
  private mainIndex = 0;
  private missed = 0;
  private followTimer: NodeJS.Timeout | undefined;
  private isClosed = false;

  constructor(options: ShortcutOptions) {
    this.options = options;
  }

  /** @throws DeviceError if the choice is `tcx`, and it cannot be */
  async start(): Promise<void> {
    const { choice, isTracked } = this.options;
    await this.reconsider();
    if (choice !== 'tcx' || this.redirect) return;
    throw new DeviceError(
      'capture by tcx',
      this.reason,
      isTracked ? 'connection tracking does not see what is redirected' : undefined,
    );
  }

  /** Which way packets are captured, and why so. */
  get way(): string {
    if (!this.redirect) return `nft (${this.reason})`;
    const why = this.options.choice === 'tcx' ? 'asked for' : 'BPF works here';
    const marked = this.options
      .families()
      .filter((family) => this.wish.marks.some((m) => m.family === family));
    const notes = [
      ...[...this.left].map(([device, reason]) => `nft alone on ${device}: ${reason}`),
      ...marked.map((family) => `nft alone for ${familyName(family)}: there are services of firewall marks`),
    ];
    return `tcx and nft (${[why, ...notes].join('; ')})`;
  }

  /** To be called when the rules of nft have come into effect. */
  apply(wish: CaptureWish): void {
    this.wish = wish;
    this.fill();
  }

  /** To be called for news of links and addresses; `undefined` if some were missed. */
  notice(notice: Uint8Array | undefined): void {
    // A program must not stay on a device that goes to another network namespace, nor redirect to one that is gone.
    for (const index of notice ? deletedDevices(notice) : []) this.forget(index);
    if (this.isClosed || (notice && !tellsDeviceChange(notice))) return;
    this.followTimer ??= setTimeout(() => {
      this.followTimer = undefined;
      this.follow();
    }, FOLLOW_DELAY_MS);
  }

  /** Takes the program off, or puts it back, as firewalls come and go and the main device is made anew. */
  async reconsider(): Promise<void> {
    const obstacle = await this.obstacle();
    if (this.isClosed) return;
    if (obstacle !== undefined) this.end(obstacle);
    else this.begin();
  }

  /** Whether `reconsider` would look at chains of nft. */
  get mindsChains(): boolean {
    return this.options.choice === 'auto' && !this.options.isTracked;
  }

  list(): string[] {
    return [...this.names.values()].map((name) => `tcx program on ${name}`);
  }

  problems(): string[] {
    return this.missed === 0
      ? []
      : [`${this.missed} endpoints and addresses are too many for tcx: nft captures them`];
  }

  close(): void {
    this.isClosed = true;
    clearTimeout(this.followTimer);
    this.end('ended');
  }

  private async obstacle(): Promise<string | undefined> {
    const { choice, isTracked, programs } = this.options;
    if (choice === 'nft') return 'asked for';
    if (isTracked) return 'net.ipv4.vs.conntrack is 1';
    if (choice === 'tcx') return undefined;
    const [first, ...others] = await firewallsOnTheWay(programs);
    if (first === undefined) return undefined;
    return `tcx would lead packets past ${first}${others.length > 0 ? ` and ${others.length} more` : ''}`;
  }

  private begin(): void {
    const main = this.options.kernel.links().find(({ name }) => name === MAIN_DEVICE);
    if (this.redirect && main?.index === this.mainIndex) return;
    this.end(MAIN_GONE);
    if (!main) return;
    const { open = (device) => new Redirect(device) } = this.options;
    try {
      this.redirect = open(main.index);
    } catch (error) {
      if (!(error instanceof DeviceError)) throw error;
      this.reason = this.options.choice === 'tcx' ? error.message : `no tcx: ${error.message}`;
      return;
    }
    this.mainIndex = main.index;
    this.reason = '';
    this.follow();
  }

  private end(reason: string): void {
    this.redirect?.close();
    this.redirect = undefined;
    this.reason = reason;
    this.names.clear();
    this.left.clear();
    this.missed = 0;
  }

  private forget(index: number): void {
    if (index === this.mainIndex) this.end(MAIN_GONE);
    this.redirect?.detach(index);
    this.names.delete(index);
  }

  /** Brings the program to the devices that there are, and the host's addresses to it. */
  private follow(): void {
    const { kernel, isStrict = hasStrictPath } = this.options;
    const links = this.redirect ? kernel.links() : [];
    if (this.redirect && !links.some(({ index }) => index === this.mainIndex)) this.end(MAIN_GONE);
    this.fill();
    const { redirect } = this;
    if (!redirect) return;
    const wanted = new Map(links.filter(isServed).map((link) => [link.index, link.name]));
    this.left.clear();
    for (const [index, name] of wanted) {
      if (isStrict(name)) {
        this.left.set(name, 'it has rp_filter 1');
        wanted.delete(index);
      } else if (!this.attach(index, name)) wanted.delete(index);
    }
    for (const index of redirect.devices()) if (!wanted.has(index)) redirect.detach(index);
    this.names = wanted;
  }

  private attach(index: number, name: string): boolean {
    try {
      this.redirect?.attach(index);
      return true;
    } catch (error) {
      if (!(error instanceof DeviceError)) throw error;
      this.left.set(name, error.message);
      return false;
    }
  }

  private fill(): void {
    if (!this.redirect) return;
    try {
      this.missed = this.redirect.set(captureEntries(this.wish, this.options.families(), ownAddresses()));
    } catch (error) {
      if (!(error instanceof DeviceError)) throw error;
      this.end(`no tcx: ${error.message}`);
      this.options.log(`nft alone captures: ${error.message}`);
    }
  }
}

/** Packets of a device with a master come in by that one, too; a director's own are not captured. */
const isServed = ({ layer, master, name, isUp }: LinkAnswer): boolean =>
  isUp && layer === ETHERNET && master === 0 && !name.startsWith(DEVICE_PREFIX);
