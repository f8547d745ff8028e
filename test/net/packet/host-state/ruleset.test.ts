import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { AF_INET } from '../../../../src/core/address.ts';
import { SETS } from '../../../../src/net/packet/host-state/capture-sets.ts';
import { FAMILIES } from '../../../../src/net/packet/host-state/families.ts';
import { noRuleset, ruleset, SOCKET_WAYS } from '../../../../src/net/packet/host-state/ruleset.ts';
import { findProgram, isMissing, isRoot } from '../../../support/programs.ts';

const CASES = FAMILIES.flatMap((family) =>
  SOCKET_WAYS.flatMap((sockets) =>
    [false, true].map((flag) => ({ family, sockets, marksReturns: flag, isTracked: flag })),
  ),
);

/** The rules of each chain. */
function chains(text: string): Map<string, string[]> {
  const found = text.matchAll(/\tchain (\w+) \{\n((?:\t\t.*\n)*)\t}\n/g);
  return new Map(Array.from(found, ([, name, rules]) => [name!, rules!.trim().split(/\n\t*/)]));
}

describe.each(CASES)('family $family, sockets $sockets, flags $isTracked', ({ family, ...options }) => {
  const text = ruleset(family, options);
  const all = chains(text);

  test('every set and chain that is used is there, and every one that is there is used', () => {
    const used = new Set(
      Array.from(text.matchAll(/@([a-z_]+)/g), ([, name]) => name).filter((name) => name !== 'nh'),
    );
    const defined = new Set(Array.from(text.matchAll(/\t(?:set|map) (\w+) \{/g), ([, name]) => name));
    used.delete('th');
    for (const name of used) expect(defined).toContain(name);
    expect([...defined].sort()).toEqual([...SETS].sort());

    const targets = new Set(Array.from(text.matchAll(/(?:goto|jump) (\w+)/g), ([, name]) => name));
    const plain = [...all].filter(([, rules]) => !rules[0]!.startsWith('type ')).map(([name]) => name);
    expect([...targets].sort()).toEqual(plain.sort());
  });

  test('packets out of the devices are captured by no rule', () => {
    const rules = all.get('prerouting')!;
    const end = rules.indexOf('iifname "uipvs*" accept');
    expect(end).toBeGreaterThan(0);
    for (const rule of rules.slice(1, end))
      expect(rule).toBe('iifname "uipvs*" meta mark set iifname map @returns');
    expect(all.get('output')!.slice(1, 3)).toEqual([
      'oifname "uipvs*" accept',
      'meta mark 0x7569ffff accept',
    ]);
  });

  test.skipIf(!isRoot || isMissing('nft', 'unshare'))('nft takes it, twice, and the removal twice', () => {
    const script = 'nft -f - && nft list tables && nft delete table $0';
    const input = noRuleset(family) + text + text + noRuleset(family) + text;
    const table = family === AF_INET ? 'ip' : 'ip6';
    const { stdout, stderr } = spawnSync(
      findProgram('unshare')!,
      ['-n', 'sh', '-c', script, `${table} uipvs`],
      {
        input,
        encoding: 'utf8',
      },
    );
    expect({ stdout, stderr }).toEqual({ stdout: `table ${table} uipvs\n`, stderr: '' });
  });
});

test('raising the time to live keeps the sum over a header of IPv4', () => {
  const [keep, raise, high, whole] = chains(
    ruleset(AF_INET, { sockets: 'known', marksReturns: false, isTracked: true }),
  ).get('raise_ttl')!;
  const table = (rule: string): Map<number, number> =>
    new Map(Array.from(rule.matchAll(/0x(\w+) : 0x(\w+)/g), ([, from, to]) => [hex(from!), hex(to!)]));
  expect(keep).toBe('@nh,64,8 255 return');
  expect([...table(raise!)]).toEqual(Array.from({ length: 254 }, (_, i) => [i + 1, i + 2]));
  for (let sum = 0; sum <= 0xffff; sum++) {
    const byte = table(high!).get(sum >> 8);
    const after = byte === undefined ? table(whole!).get(sum)! : (byte << 8) | (sum & 255);
    // In one's complement 0 is also 0xffff.
    if ((after + 0x0100) % 0xffff !== sum % 0xffff) expect.fail(`sum ${sum} becomes ${after}`);
    if (sum > 0x1ff && sum < 0xff00) sum += 0xff;
  }
});

const hex = (digits: string): number => Number.parseInt(digits, 16);
