import { AF_INET, type Family } from '../../../core/address.ts';
import {
  DEVICE_ADDRESS,
  isOurNumber,
  LINK_LOCAL_IPV6,
  LOCAL_RULE_PREF,
  RETURN_BIT,
  SPARE_RULE_PREF,
} from './names.ts';

/** A routing rule as `ip -json rule` prints it, so far as it matters here. */
export interface RoutingRule {
  readonly pref: number;
  readonly fwmark: number | undefined;
  /** '' for any. */
  readonly iif: string;
  /** Name or number; '' where the rule leads to another one. */
  readonly table: string;
  /** The preference of that one; 0 for none. */
  readonly goto: number;
  /** Without selectors other than mark and incoming interface. */
  readonly isPlain: boolean;
}

/** A rule for packets with a mark of the director's. */
export interface DeviceRule {
  readonly mark: number;
  /** Only for packets that come out of this device; '' for all. */
  readonly iif: string;
  /** `undefined`: the rules from the local table's on decide. */
  readonly table: number | undefined;
}

/** The rule that leads captured packets to the device with this number. */
export const captureRule = (number: number): DeviceRule => ({ mark: number, iif: '', table: number });

/**
 * The rules by which the way back of packets from a device seems to be through that device, for a host with strict
 * reverse-path checks: they are looked up with the mark, but as if they came in elsewhere.
 */
export function returnRules(device: string, number: number): DeviceRule[] {
  const mark = number + RETURN_BIT;
  return [
    { mark, iif: device, table: undefined },
    { mark, iif: '', table: number },
  ];
}

/** @throws SyntaxError if it is not JSON */
export function parseRules(json: string): RoutingRule[] {
  if (json.trim() === '') return [];
  const rules: readonly Readonly<Record<string, unknown>>[] = JSON.parse(json);
  return rules.map((rule) => {
    const { priority, src, fwmark, iif, table, protocol: _, goto, unresolved: __, ...selectors } = rule;
    return {
      pref: Number(priority),
      fwmark: fwmark === undefined ? undefined : Number(fwmark),
      iif: String(iif ?? ''),
      table: String(table ?? ''),
      goto: Number(goto ?? 0),
      isPlain: src === 'all' && Object.keys(selectors).length === 0,
    };
  });
}

/**
 * Writes the changes that put rules before the local table's, in their order, as input for `ip -batch`. The rule of the
 * local table is put behind them, at the preference that all have; at each moment there is one, so that the host stays
 * reachable.
 *
 * @param wanted rules of one device
 * @param rules what is there
 */
export function addDeviceRules(wanted: readonly DeviceRule[], rules: readonly RoutingRule[]): string {
  if (wanted.every((rule) => findRule(rule, rules))) return '';
  const hasFirst = hasLocalRule(LOCAL_RULE_PREF, rules);
  const hasDetour = wanted.some(isDetour);
  const target = hasFirst ? SPARE_RULE_PREF : firstBehind(LOCAL_RULE_PREF, rules);
  const [first, spare] = [localRule(LOCAL_RULE_PREF), localRule(SPARE_RULE_PREF)];
  const lines = [...removals(wanted, rules), ...wanted.map((rule) => addition(ruleText(rule, target)))];
  if (!hasFirst) return batch(lines);
  if (!hasLocalRule(SPARE_RULE_PREF, rules)) lines.push(addition(spare));
  lines.push(`rule del ${first}`, addition(first));
  if (!hasDetour && !rules.some(({ goto }) => goto === SPARE_RULE_PREF)) lines.push(`rule del ${spare}`);
  return batch(lines);
}

/** Writes what removes the rules of one device that are there. */
export function removeDeviceRules(unwanted: readonly DeviceRule[], rules: readonly RoutingRule[]): string {
  const lines = removals(unwanted, rules);
  const gone = new Set(unwanted.map((rule) => findRule(rule, rules)));
  const usesSpare = (rule: RoutingRule): boolean => isOurs(rule) && rule.goto === SPARE_RULE_PREF;
  const isUnused = !rules.some((rule) => usesSpare(rule) && !gone.has(rule));
  if (isUnused && rules.some(usesSpare) && hasLocalRule(SPARE_RULE_PREF, rules)) {
    lines.push(`rule del ${localRule(SPARE_RULE_PREF)}`);
  }
  return batch(lines);
}

/** Writes what removes every rule of a director, the second one of the local table included. */
export function removeAllRules(rules: readonly RoutingRule[]): string {
  const lines = rules.filter(isOurs).map(removal);
  const hasFirst = hasLocalRule(LOCAL_RULE_PREF, rules);
  // The second one is the director's only where its own rules are, or where a change was broken off.
  if (hasLocalRule(SPARE_RULE_PREF, rules) && (lines.length > 0 || !hasFirst)) {
    if (!hasFirst) lines.push(addition(localRule(LOCAL_RULE_PREF)));
    lines.push(`rule del ${localRule(SPARE_RULE_PREF)}`);
  }
  return batch(lines);
}

/** Writes what makes a device usable, as input for `ip -batch`. */
export function addDevice(device: string, table: number, family: Family): string {
  const route = `route replace default dev ${device} table ${table}`;
  if (family !== AF_INET) return batch([`route append ${LINK_LOCAL_IPV6} dev ${device}`, route]);
  return batch([
    // IPv6 addresses of its own would make the device talk.
    `link set dev ${device} addrgenmode none`,
    `link set dev ${device} up`,
    `address replace ${DEVICE_ADDRESS}/32 dev ${device} scope link`,
    route,
  ]);
}

/**
 * Prints a rule as `ip rule add` takes it.
 * @param target where a rule without a table leads to
 */
export function ruleText({ mark, iif, table }: DeviceRule, target = SPARE_RULE_PREF): string {
  const action = table === undefined ? `goto ${target}` : `lookup ${table}`;
  return `pref ${LOCAL_RULE_PREF} fwmark 0x${mark.toString(16)}${iif === '' ? '' : ` iif ${iif}`} ${action}`;
}

const addition = (rule: string): string => `rule add ${rule} protocol kernel`;

const isDetour = ({ table }: DeviceRule): boolean => table === undefined;

function removals(unwanted: readonly DeviceRule[], rules: readonly RoutingRule[]): string[] {
  return unwanted.flatMap((rule) => findRule(rule, rules) ?? []).map(removal);
}

function removal({ fwmark, iif, table, goto }: RoutingRule): string {
  return `rule del ${ruleText({ mark: fwmark!, iif, table: table === '' ? undefined : Number(table) }, goto)}`;
}

function findRule(wanted: DeviceRule, rules: readonly RoutingRule[]): RoutingRule | undefined {
  return rules.find(
    (rule) =>
      isOurs(rule) &&
      rule.fwmark === wanted.mark &&
      rule.iif === wanted.iif &&
      rule.table === String(wanted.table ?? ''),
  );
}

function isOurs({ pref, fwmark, table }: RoutingRule): boolean {
  if (pref !== LOCAL_RULE_PREF || fwmark === undefined || !isOurNumber(fwmark)) return false;
  return table === '' || isOurNumber(Number(table));
}

const firstBehind = (pref: number, rules: readonly RoutingRule[]): number =>
  Math.min(...rules.map((rule) => rule.pref).filter((each) => each > pref));

function hasLocalRule(wanted: number, rules: readonly RoutingRule[]): boolean {
  return rules.some(
    ({ pref, fwmark, iif, table, isPlain }) =>
      pref === wanted &&
      isPlain &&
      fwmark === undefined &&
      iif === '' &&
      (table === 'local' || table === '255'),
  );
}

function localRule(pref: number): string {
  return `pref ${pref} lookup local`;
}

const batch = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');
