import { AF_INET, type Family } from '../../../core/address.ts';
import { familyName } from '../capture-list.ts';
import { Turns } from '../turns.ts';
import type { DeviceSlots } from './device-slots.ts';
import { FAMILIES, IP_OPTION, NFT_FAMILY } from './families.ts';
import { DEVICE_ADDRESS, LINK_LOCAL_IPV6, NFT_TABLE, SPARE_RULE_PREF } from './names.ts';
import { ProgramError, type ProgramRunner } from './programs.ts';
import type { Devconf } from './rtnetlink.ts';
import {
  addDevice,
  addDeviceRules,
  captureRule,
  type DeviceRule,
  parseRules,
  type RoutingRule,
  removeAllRules,
  removeDeviceRules,
  returnRules,
  ruleText,
} from './rules.ts';
import { noRuleset } from './ruleset.ts';

/** What a device needs: packets with any source are taken from it, the host's own included, and routed on. */
const DEVICE_SETTINGS = { rp_filter: 0, accept_local: 1, forwarding: 1 } as const;

/** What the detours of strict hosts lead to. */
const SPARE_RULE = `pref ${SPARE_RULE_PREF} lookup local`;

export interface FootprintParts {
  readonly programs: ProgramRunner;
  readonly slots: DeviceSlots;
  /** Changes IPv4 settings of a device. */
  readonly devices: {
    setDevconf(device: string, settings: Readonly<Partial<Record<Devconf, number>>>): void;
  };
}

/** How a device is set up. */
export interface DeviceOptions {
  /** For packets of IPv6 too. */
  readonly hasIpv6: boolean;
  /** The host checks reverse paths strictly (net.ipv4.conf.all.rp_filter is 1). */
  readonly isStrict: boolean;
}

/**
 * All that a director changes in the host's network: the one place that makes it, lists it and takes it back. Devices
 * themselves belong to who opened them and end with their descriptors; addresses, settings and routes of theirs end with
 * them. Rules and nft tables outlive a killed director; they lead nowhere then, and `sweep` removes them.
 */
export class Footprint {
  private readonly parts: FootprintParts;
  private readonly devices = new Map<string, DeviceOptions>();
  private readonly nftFamilies = new Set<Family>();
  /** What is looked at stays so until it is changed. */
  private readonly turns = new Turns();

  constructor(parts: FootprintParts) {
    this.parts = parts;
  }

  /**
   * Makes a device that was opened usable and leads packets with its mark into it.
   * @throws ProgramError, DeviceError
   */
  addDevice(device: string, options: DeviceOptions): Promise<void> {
    return this.turns.take(() => this.add(device, options));
  }

  /** To be called before the device is closed. */
  removeDevice(device: string): Promise<void> {
    return this.turns.take(() => this.remove(device));
  }

  /** Brings devices up again that someone else has taken down, with what they lost by that. */
  mendDevices(isDown: (device: string) => boolean): Promise<void> {
    return this.turns.take(async () => {
      for (const [device, options] of this.devices) if (isDown(device)) await this.setUp(device, options);
    });
  }

  /** Puts rules back that someone else has removed. */
  mendRules(): Promise<void> {
    return this.turns.take(async () => {
      for (const [device, options] of this.devices) {
        for (const family of familiesOf(options)) await this.addRules(device, family, options);
      }
    });
  }

  /** Loads the rules of nft for one family, in place of those that are there. */
  async loadRuleset(family: Family, text: string): Promise<void> {
    this.nftFamilies.add(family);
    try {
      await this.parts.programs.run('nft', ['-f', '-'], text);
    } catch (error) {
      this.nftFamilies.delete(family);
      throw error;
    }
  }

  /** Says what there is of the director, one thing a line. */
  list(): string[] {
    const isStrict = [...this.devices.values()].some((options) => options.isStrict);
    return [
      ...[...this.devices].flatMap(([device, options]) => this.deviceLines(device, options)),
      ...(isStrict ? [`rule ${SPARE_RULE} (${familyName(AF_INET)})`] : []),
      ...[...this.nftFamilies].map((family) => `nft table ${NFT_FAMILY[family]} ${NFT_TABLE}`),
    ];
  }

  /** Takes all back but the devices, which are to be closed next. Capturing ends first. */
  undo(): Promise<void> {
    return this.turns.take(async () => {
      this.nftFamilies.clear();
      this.devices.clear();
      await sweep(this.parts.programs);
    });
  }

  private async add(device: string, options: DeviceOptions): Promise<void> {
    this.devices.set(device, options);
    this.parts.devices.setDevconf(device, settingsOf(options));
    await this.setUp(device, options);
    for (const family of familiesOf(options)) await this.addRules(device, family, options);
  }

  private async remove(device: string): Promise<void> {
    const options = this.devices.get(device);
    if (!options) return;
    for (const family of familiesOf(options)) {
      const unwanted = this.rulesOf(device, family, options);
      await changeRules(this.parts.programs, family, (rules) => removeDeviceRules(unwanted, rules));
    }
    this.devices.delete(device);
    this.parts.slots.release(device);
  }

  private async setUp(device: string, options: DeviceOptions): Promise<void> {
    const { programs, slots } = this.parts;
    const number = slots.numberOf(device);
    for (const family of familiesOf(options))
      await programs.run('ip', [IP_OPTION[family], '-batch', '-'], addDevice(device, number, family));
  }

  private async addRules(device: string, family: Family, options: DeviceOptions): Promise<void> {
    const wanted = this.rulesOf(device, family, options);
    await changeRules(this.parts.programs, family, (rules) => addDeviceRules(wanted, rules));
  }

  private rulesOf(device: string, family: Family, { isStrict }: DeviceOptions): DeviceRule[] {
    const number = this.parts.slots.numberOf(device);
    const returns = isStrict && family === AF_INET ? returnRules(device, number) : [];
    return [captureRule(number), ...returns];
  }

  private deviceLines(device: string, options: DeviceOptions): string[] {
    const number = this.parts.slots.numberOf(device);
    const settings = Object.entries(settingsOf(options));
    return [
      `device ${device}`,
      `address ${DEVICE_ADDRESS}/32 on ${device}`,
      ...settings.map(([name, value]) => `setting net.ipv4.conf.${device}.${name}=${value}`),
      ...(options.hasIpv6 ? [`route ${LINK_LOCAL_IPV6} dev ${device} (IPv6)`] : []),
      ...familiesOf(options).flatMap((family) => [
        `route default dev ${device} table ${number} (${familyName(family)})`,
        ...this.rulesOf(device, family, options).map(
          (rule) => `rule ${ruleText(rule)} (${familyName(family)})`,
        ),
      ]),
    ];
  }
}

/**
 * Removes what a director that was killed left behind: found by names and numbers, so that nothing has to be remembered.
 * There must be no living director in this network namespace: its main device must have been opened before by the caller.
 *
 * @returns what was removed, one thing a line
 */
export async function sweep(programs: ProgramRunner): Promise<string[]> {
  const removed: string[] = [];
  for (const family of FAMILIES) {
    if (await hasTable(programs, family)) {
      await programs.run('nft', ['-f', '-'], noRuleset(family));
      removed.push(`nft table ${NFT_FAMILY[family]} ${NFT_TABLE}`);
    }
    const text = await changeRules(programs, family, removeAllRules).catch(unlessRunning);
    const lines = text.split('\n').filter((line) => line.startsWith('rule del '));
    removed.push(...lines.map((line) => `${line.replace(' del', '')} (${familyName(family)})`));
  }
  return removed;
}

const settingsOf = ({ isStrict }: DeviceOptions): Partial<Record<Devconf, number>> =>
  isStrict ? { ...DEVICE_SETTINGS, src_valid_mark: 1 } : DEVICE_SETTINGS;

const familiesOf = ({ hasIpv6 }: DeviceOptions): readonly Family[] => (hasIpv6 ? FAMILIES : [AF_INET]);

/** @returns the changes that were made, as input for `ip -batch` */
async function changeRules(
  programs: ProgramRunner,
  family: Family,
  change: (rules: readonly RoutingRule[]) => string,
): Promise<string> {
  const shown = await programs.run('ip', [IP_OPTION[family], '-json', 'rule', 'show']);
  const text = change(parseRules(shown));
  if (text !== '') await programs.run('ip', [IP_OPTION[family], '-batch', '-'], text);
  return text;
}

/** Whether nft has a table of the director; false where it has none at all. */
export async function hasTable(programs: ProgramRunner, family: Family): Promise<boolean> {
  const tables = await programs.run('nft', ['list', 'tables']).catch(unlessRunning);
  return tables.split('\n').includes(`table ${NFT_FAMILY[family]} ${NFT_TABLE}`);
}

/** What a missing program, or a kernel without the feature, would have left is nothing. */
function unlessRunning(error: unknown): string {
  if (error instanceof ProgramError) return '';
  throw error;
}
