import type { Family } from '../../../core/address.ts';
import { familyName } from '../capture-list.ts';
import { Coalesced } from '../coalesced.ts';
import { type CaptureWish, NO_ELEMENTS, type SetElements, setChanges, setElements } from './capture-sets.ts';
import type { DeviceSlots } from './device-slots.ts';
import { type Footprint, hasTable } from './footprint.ts';
import { ProgramError, type ProgramRunner } from './programs.ts';
import { type RulesetOptions, ruleset, SOCKET_WAYS, type SocketWay } from './ruleset.ts';

export interface CaptureParts {
  readonly programs: ProgramRunner;
  readonly slots: DeviceSlots;
  readonly footprint: Footprint;
}

export type CaptureOptions = Omit<RulesetOptions, 'sockets'>;

const NOTHING: CaptureWish = { virtual: [], servers: [], marks: [] };

/** Which packets the host hands to the director: keeps the sets of nft as they were last wished. */
export class Capture {
  private readonly parts: CaptureParts;
  private readonly tables = new Map<Family, FamilyTable>();
  private wish = NOTHING;
  /** Bring the newest wish into effect. */
  private readonly updates = new Coalesced(() => this.update());
  private isEnded = false;

  constructor(parts: CaptureParts) {
    this.parts = parts;
  }

  /**
   * Loads the rules, with nothing to capture.
   * @returns why families cannot be captured on this host, one line each
   */
  async start(families: readonly Family[], options: CaptureOptions): Promise<string[]> {
    const problems: string[] = [];
    for (const family of families) {
      const table = new FamilyTable(this.parts, family, options);
      try {
        await table.load();
        this.tables.set(family, table);
      } catch (error) {
        if (!(error instanceof ProgramError)) throw error;
        problems.push(`${familyName(family)} packets cannot be captured: ${error.message}`);
      }
    }
    return problems;
  }

  /** The families that are captured, and how packets with a socket of the director's are dealt with. */
  ways(): ReadonlyMap<Family, SocketWay> {
    return new Map([...this.tables].map(([family, { sockets }]) => [family, sockets]));
  }

  /** Resolves when the host captures just what is wished, or what was wished since. Rejects with ProgramError. */
  apply(wish: CaptureWish): Promise<void> {
    this.wish = wish;
    return this.updates.run();
  }

  /** Loads everything again if someone else has removed a table, as `nft flush ruleset` does. */
  async mend(): Promise<void> {
    let isLost = false;
    for (const [family, table] of this.tables) {
      if (await hasTable(this.parts.programs, family)) continue;
      table.forget();
      isLost = true;
    }
    if (isLost) await this.updates.run();
  }

  /** Loads everything again: a device was made anew, and the rules still name the old one. */
  renew(): Promise<void> {
    for (const table of this.tables.values()) table.forget();
    return this.updates.run();
  }

  /** Resolves when nothing is running any more; what is wished from now on has no effect. */
  async end(): Promise<void> {
    this.isEnded = true;
    await this.updates.ended();
  }

  private async update(): Promise<void> {
    const { wish } = this;
    for (const table of this.tables.values()) {
      if (this.isEnded) return;
      await table.update(wish);
    }
  }
}

/** The table of one family and what is in its sets. */
class FamilyTable {
  sockets: SocketWay = SOCKET_WAYS[0];
  private readonly parts: CaptureParts;
  private readonly family: Family;
  private readonly options: CaptureOptions;
  /** `undefined`: not known. */
  private elements: SetElements | undefined;

  constructor(parts: CaptureParts, family: Family, options: CaptureOptions) {
    this.parts = parts;
    this.family = family;
    this.options = options;
  }

  /** Tries the ways to deal with packets that have a socket, the best first. */
  async load(): Promise<void> {
    let refusal: unknown;
    for (const sockets of SOCKET_WAYS) {
      this.sockets = sockets;
      try {
        return await this.reload(NO_ELEMENTS);
      } catch (error) {
        refusal ??= error;
      }
    }
    throw refusal;
  }

  async update(wish: CaptureWish): Promise<void> {
    const { slots, programs } = this.parts;
    const wanted = setElements(wish, this.family, (device) => slots.numberOf(device));
    if (!this.elements) return this.reload(wanted);
    const changes = setChanges(this.family, this.elements, wanted);
    if (changes === '') return;
    try {
      await programs.run('nft', ['-f', '-'], changes);
      this.elements = wanted;
    } catch (error) {
      if (!(error instanceof ProgramError)) throw error;
      // Someone else may have changed the table: all of it is loaded anew.
      await this.reload(wanted);
    }
  }

  forget(): void {
    this.elements = undefined;
  }

  private async reload(wanted: SetElements): Promise<void> {
    const { footprint } = this.parts;
    this.elements = undefined;
    const rules = ruleset(this.family, { ...this.options, sockets: this.sockets });
    await footprint.loadRuleset(this.family, rules + setChanges(this.family, NO_ELEMENTS, wanted));
    this.elements = wanted;
  }
}
