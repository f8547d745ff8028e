import { readFileSync } from 'node:fs';
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

/** @returns the chains of hook forward with policy drop in what `nft list chains` prints: `nft chain ip filter FORWARD` */
export function droppingChains(listing: string): string[] {
  let table = '';
  let chain = '';
  return listing.split('\n').flatMap((line) => {
    table = /^table (\S+ \S+) \{/.exec(line)?.[1] ?? table;
    chain = /^\s+chain (\S+) \{/.exec(line)?.[1] ?? chain;
    return / hook forward .*policy drop;/.test(line) ? [`nft chain ${table} ${chain}`] : [];
  });
}
