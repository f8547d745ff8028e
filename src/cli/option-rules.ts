import { COMMANDS } from './commands.ts';
import { OPTION_NAMES, type OptionName } from './options.ts';
import { refuse, type UsageError } from './usage-error.ts';

/** Which options something needs, may have, or may have one of; all others are illegal with it. */
export interface OptionRules {
  readonly needs: readonly OptionName[];
  readonly allows: readonly OptionName[];
  readonly exclusive: readonly OptionName[];
}

/** Tunnel options by tunnel type; `tun-type` itself is taken for given. */
export const TUNNEL_RULES = {
  ipip: { needs: [], allows: [], exclusive: [] },
  gue: { needs: ['tun-port'], allows: [], exclusive: ['tun-nocsum', 'tun-csum', 'tun-remcsum'] },
  gre: { needs: [], allows: [], exclusive: ['tun-nocsum', 'tun-csum'] },
} as const satisfies Record<string, OptionRules>;

const TUNNEL_OPTIONS: readonly OptionName[] = ['tun-port', 'tun-nocsum', 'tun-csum', 'tun-remcsum'];

/** Listings that show no table, and the options of the table that they cannot be combined with. */
const LISTINGS_WITHOUT_TABLE: readonly OptionName[] = ['connection', 'timeout', 'daemon'];
const TABLE_FORMS: readonly OptionName[] = ['stats', 'rate', 'thresholds'];

/** @throws UsageError for the first option, in ipvsadm's order, that the command lacks or refuses. */
export function checkCommandOptions(command: keyof typeof COMMANDS, given: ReadonlySet<OptionName>): void {
  check(OPTION_NAMES, COMMANDS[command], given, {
    missing: (name) => `You need to supply the '${name}' option for the '${command}' command`,
    illegal: (name) => `Illegal '${name}' option with the '${command}' command`,
    conflict: (name, other) =>
      `The option '${name}' conflicts with the '${other}' option in the '${command}' command`,
  });
  if (command === 'list') checkListing(given);
}

/** @throws UsageError for the first tunnel option that the type lacks or refuses. */
export function checkTunnelOptions(type: keyof typeof TUNNEL_RULES, given: ReadonlySet<OptionName>): void {
  check(TUNNEL_OPTIONS, TUNNEL_RULES[type], given, {
    missing: (name) => `You need to supply the '${name}' option for the '${type}' tunnel type`,
    illegal: (name) => `Illegal '${name}' option with the '${type}' tunnel type`,
    conflict: (name, other) =>
      `The option '${name}' conflicts with the '${other}' option in the '${type}' tunnel type`,
  });
}

interface Texts {
  readonly missing: (name: OptionName) => string;
  readonly illegal: (name: OptionName) => string;
  readonly conflict: (name: OptionName, other: OptionName) => string;
}

function check(
  order: readonly OptionName[],
  rules: OptionRules,
  given: ReadonlySet<OptionName>,
  texts: Texts,
): void {
  let chosen: OptionName | undefined;
  for (const name of order) {
    const fault = given.has(name)
      ? faultOfGiven(name, rules, chosen, texts)
      : faultOfAbsent(name, rules, texts);
    if (fault) throw fault;
    if (given.has(name) && rules.exclusive.includes(name)) chosen = name;
  }
}

function faultOfAbsent(name: OptionName, rules: OptionRules, texts: Texts): UsageError | undefined {
  return rules.needs.includes(name) ? refuse(texts.missing(name)) : undefined;
}

function faultOfGiven(
  name: OptionName,
  rules: OptionRules,
  chosen: OptionName | undefined,
  texts: Texts,
): UsageError | undefined {
  if (rules.exclusive.includes(name)) return chosen && refuse(texts.conflict(name, chosen));
  const legal = rules.needs.includes(name) || rules.allows.includes(name);
  return legal ? undefined : refuse(texts.illegal(name));
}

function checkListing(given: ReadonlySet<OptionName>): void {
  const has = (names: readonly OptionName[]): boolean => names.some((name) => given.has(name));
  // A connection listing has a form of its own with the persistence engine's data.
  const persistence = given.has('persistent-conn') && has(['timeout', 'daemon']);
  if (has(LISTINGS_WITHOUT_TABLE) && (has(TABLE_FORMS) || persistence)) {
    throw refuse('options conflicts in the list command');
  }
}
