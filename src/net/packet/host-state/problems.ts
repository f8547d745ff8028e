import { readFileSync } from 'node:fs';
import { NFT_TABLE } from './names.ts';
import { ProgramError, type ProgramRunner } from './programs.ts';

/** Value of a reverse-path check that only accepts packets from where the way back leads. */
const STRICT = 1;

/** @returns the value of a network setting of the kernel, `net.` left out; `undefined` if there is none */
export function networkSetting(path: string): number | undefined {
  try {
    return Number(readFileSync(`/proc/sys/net/${path}`, 'latin1'));
  } catch {
    return undefined;
  }
}

/** Whether the host takes only packets from where the way back leads (net.ipv4.conf.all.rp_filter). */
export const hasStrictPaths = (setting = networkSetting): boolean =>
  setting('ipv4/conf/all/rp_filter') === STRICT;

/** Whether packets that come in by a device are taken only from where the way back leads. */
export const hasStrictPath = (device: string, setting = networkSetting): boolean =>
  Math.max(setting('ipv4/conf/all/rp_filter') ?? 0, setting(`ipv4/conf/${device}/rp_filter`) ?? 0) === STRICT;

/** Whether IPv6 is on for a device. */
export const hasIpv6 = (device: string, setting = networkSetting): boolean =>
  setting(`ipv6/conf/${device}/disable_ipv6`) === 0;

/**
 * Settings of the whole host that stand against the director, which it does not change by itself.
 *
 * @param wasStrict what `hasStrictPaths` said when the devices were set up
 * @returns one line each, with what to do
 */
export function settingProblems(wantsIpv6: boolean, wasStrict: boolean, setting = networkSetting): string[] {
  const problems: string[] = [];
  if (setting('ipv4/ip_forward') === 0) {
    problems.push(
      'net.ipv4.ip_forward is 0: packets are not routed to the director and its servers; set it to 1',
    );
  }
  if (wantsIpv6 && setting('ipv6/conf/all/forwarding') === 0) {
    problems.push(
      'net.ipv6.conf.all.forwarding is 0: IPv6 packets are not routed to the director and its servers; set it to 1',
    );
  }
  if (!wasStrict && hasStrictPaths(setting)) {
    problems.push(
      'net.ipv4.conf.all.rp_filter has become 1: packets of clients are dropped; set it to 0 or 2, or start the director again',
    );
  }
  return problems;
}

/** Chains that drop what is routed unless a rule accepts it: they see captured packets on both of their ways. */
export async function firewallProblems(programs: ProgramRunner): Promise<string[]> {
  try {
    return droppingChains(await programs.run('nft', ['list', 'chains'])).map(
      (chain) => `${chain} drops what is routed: let packets from and to devices uipvs* through`,
    );
  } catch (error) {
    if (error instanceof ProgramError) return [];
    throw error;
  }
}

/** Tables of the older firewall programs, one name a line. */
const LEGACY_TABLES = ['/proc/net/ip_tables_names', '/proc/net/ip6_tables_names'];

/**
 * @returns firewalls that see packets on their way to a device of the director when they are routed there, but not when they
 *   are redirected
 */
export async function firewallsOnTheWay(programs: ProgramRunner): Promise<string[]> {
  try {
    const chains = chainsOnTheWay(await programs.run('nft', ['list', 'chains']));
    return [...chains, ...LEGACY_TABLES.flatMap(legacyTables)];
  } catch (error) {
    if (error instanceof ProgramError) return [error.message];
    throw error;
  }
}

function legacyTables(path: string): string[] {
  try {
    const names = readFileSync(path, 'latin1').split('\n');
    return names
      .filter((name) => name !== '')
      .map((name) => `${path.includes('ip6') ? 'ip6tables' : 'iptables'} ${name}`);
  } catch {
    return [];
  }
}

/** @returns the chains of others that are on packets' way in, in what `nft list chains` prints */
export const chainsOnTheWay = (listing: string): string[] =>
  baseChains(listing, / hook (prerouting|forward|ingress) /).filter(
    (chain) =>
      !chain.startsWith(`nft chain ip ${NFT_TABLE} `) && !chain.startsWith(`nft chain ip6 ${NFT_TABLE} `),
  );

/** @returns the chains of hook forward with policy drop in what `nft list chains` prints: `nft chain ip filter FORWARD` */
export const droppingChains = (listing: string): string[] =>
  baseChains(listing, / hook forward .*policy drop;/);

function baseChains(listing: string, wanted: RegExp): string[] {
  let table = '';
  let chain = '';
  return listing.split('\n').flatMap((line) => {
    table = /^table (\S+ \S+) \{/.exec(line)?.[1] ?? table;
    chain = /^\s+chain (\S+) \{/.exec(line)?.[1] ?? chain;
    return wanted.test(line) ? [`nft chain ${table} ${chain}`] : [];
  });
}
