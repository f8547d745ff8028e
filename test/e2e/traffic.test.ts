import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { lacksPackets } from '../support/network-namespaces.ts';
import { isMissing } from '../support/programs.ts';
import { LIMIT_MS, playAll } from '../traffic/play.ts';

/*
 * Real packets through a director of packets, compared with what a kernel did. By default: what no replay in one process
 * can decide (packets as servers and clients see them, path MTU, ICMP, the director as a server, synchronisation), and
 * some of each other kind. UIPVS_TRAFFIC=all plays every recording, UIPVS_TRAFFIC=REGEX those whose names match.
 */
const WANTED = process.env['UIPVS_TRAFFIC'] ?? '';
const BY_DEFAULT = [
  '180-packets-on-the-wire',
  '181-modes-mixed',
  '182-icmp',
  '184-local-node',
  '186-wire-tunnel6',
  '187-mtu',
  '188-ttl-tos',
  '166-sctp-states',
  '171-counters-large',
  '201-v1-ipv4',
  '202-v1-ipv6',
  '207-backup-takes-over',
  '101-rr',
  '102-rr-udp-v6',
  '111-wlc',
  '120-sh',
  '124-dh',
  '152-persistence-port-zero',
  '153-persistence-fwmark',
  '157-nodest',
  '160-tcp-states-nat',
  '162-tcp-states-input-only',
  '183-ops',
  '192-conn-listing',
  '409-cache-bypass',
];
/** Most of a scenario is waiting. */
const AT_ONCE = 3;
/** The longest, to be begun first. */
const SLOW = /^(140|141|416|201-v1|414|171|172|192|164)/;

const skipped = lacksPackets() || isMissing('unshare', 'mount', 'ping', 'iptables-legacy');

const goldens = new Map(
  ['traffic', 'sync'].flatMap((folder) => {
    const url = new URL(`../golden/${folder}/`, import.meta.url);
    return readdirSync(url)
      .filter((file) => file.endsWith('.golden'))
      .map((file): [string, URL] => [file.replace('.golden', ''), new URL(file, url)]);
  }),
);
const wanted = [...goldens.keys()].filter(isWanted);
const slowFirst = wanted.toSorted((a, b) => Number(SLOW.test(b)) - Number(SLOW.test(a)));

function isWanted(name: string): boolean {
  if (WANTED === 'all') return true;
  return WANTED === '' ? BY_DEFAULT.includes(name) : new RegExp(WANTED).test(name);
}

describe.skipIf(skipped)('packets go where a kernel sent them, and all is counted and listed alike', () => {
  const inOrder = new Map(slowFirst.map((name) => [name, goldens.get(name)!]));
  const reports = skipped ? new Map() : playAll(inOrder, AT_ONCE, ['--plane', 'packet']);

  test.each(wanted)('%s', { timeout: 2 * LIMIT_MS }, async (name) => {
    const { trouble, differences, compared } = await reports.get(name)!;
    expect({ differences, trouble }).toEqual({ differences: [], trouble: '' });
    expect(compared).toBeGreaterThan(0);
  });
});

test('every recording that is played by default is there', () => {
  for (const name of BY_DEFAULT) expect([...goldens.keys()]).toContain(name);
});
