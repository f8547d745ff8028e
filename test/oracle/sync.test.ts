import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { boot, isOracleMissing, PROJECT } from '../support/oracle/kernel.ts';
import { isMissing } from '../support/programs.ts';

const PROGRAM = join(PROJECT, 'dist/test/support/sync-master-program.js');
const SIX = /^\w+ +[0-9a-f]{4}:/;

/** The virtual machines together take a minute or two. */
const LIMIT_MS = 240_000;
/** Format 0 does not tell it of templates: they live three minutes. */
const TEMPLATE_SEC_V0 = 180;

describe.skipIf(isOracleMissing() || isMissing('socat', 'tc'))('beside a real kernel', () => {
  describe.each([1, 0])('with format %i', (version) => {
    test('a uipvs backup has the entries of a kernel that is master', { timeout: LIMIT_MS }, async () => {
      const printed = await run('kernel-master', { root: PROJECT, version });
      const kernel = entriesOf(printed, 'kernel', version);
      const uipvs = entriesOf(printed, 'uipvs', 1);
      expect(kernel.size).toBeGreaterThanOrEqual(version === 1 ? 12 : 10);
      expectAlike(uipvs, kernel, version, passed(printed));
      if (version === 1)
        expect(section(printed, 'uipvs servers')).toEqual(section(printed, 'kernel servers'));
    });

    test('a kernel backup has the entries of a uipvs director that is master', {
      timeout: LIMIT_MS,
    }, async () => {
      const printed = await run('kernel-backup', { program: PROGRAM, version, group: '224.0.0.81' });
      const uipvs = entriesOf(printed, 'uipvs', version);
      expect(uipvs.size).toBe(version === 1 ? 13 : 11);
      expectAlike(entriesOf(printed, 'kernel', 1), uipvs, version, passed(printed));
      // Templates of marks are bound too if the record tells the mark.
      const counts = section(printed, 'kernel servers')
        .filter((line) => line.includes('->'))
        .slice(1);
      const expected =
        version === 1 ? '0 1 2,1 1 0,0 1 1,1 0 1,1 1 0,1 0 1' : '0 1 2,1 1 0,0 1 1,1 0 1,0 0 0,0 0 0';
      expect(counts.map((line) => line.trim().split(/ +/).slice(3).join(' ')).join()).toBe(expected);
    });
  });

  test('an IPv6 group reaches a kernel too', { timeout: LIMIT_MS }, async () => {
    const printed = await run('kernel-backup', { program: PROGRAM, version: 1, group: 'ff02::51' });
    expectAlike(entriesOf(printed, 'kernel', 1), entriesOf(printed, 'uipvs', 1), 1, passed(printed));
  });
});

/** @returns the lines that the script printed */
async function run(name: string, variables: Readonly<Record<string, string | number>>): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'uipvs-oracle-'));
  try {
    const script = readFileSync(new URL(`sync/${name}`, import.meta.url), 'utf8');
    const settings = Object.entries({ node: process.execPath, ...variables });
    const head = settings.map(([key, value]) => `${key}='${value}'\n`).join('');
    writeFileSync(join(folder, 'script'), head + script);
    return (await boot(join(folder, 'script'))).split('\n');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Lines after a line with a name, up to the next such line. */
function section(lines: readonly string[], name: string): string[] {
  const start = lines.indexOf(name);
  if (start < 0) throw new Error(`no '${name}' in:\n${lines.join('\n')}`);
  const rest = lines.slice(start + 1);
  const end = rest.findIndex(
    (line) => /^(kernel|uipvs)( servers)?$/.test(line) || /^sent |^uipvs: |^passed /.test(line),
  );
  return (end < 0 ? rest : rest.slice(0, end)).filter((line) => line !== '');
}

/** Seconds left by entry, of a listing of /proc/net/ip_vs_conn; format 0 carries no IPv6. */
function entriesOf(lines: readonly string[], name: string, version: number): Map<string, number> {
  const entries = section(lines, name)
    .slice(1)
    .filter((line) => version === 1 || !SIX.test(line));
  return new Map(
    entries.map((line) => {
      const words = line.split(/ +/);
      return [words.slice(0, -1).join(' '), Number(words.at(-1))];
    }),
  );
}

/** Seconds between the first packet and the last listing. */
const passed = (lines: readonly string[]): number =>
  Number(lines.find((line) => line.startsWith('passed '))?.slice('passed '.length));

/** Timers differ by no more than passed: packets that are not told of restart those of the master alone, messages the backup's. */
function expectAlike(
  backup: ReadonlyMap<string, number>,
  master: ReadonlyMap<string, number>,
  version: number,
  seconds: number,
): void {
  expect([...backup.keys()].sort()).toEqual([...master.keys()].sort());
  for (const [entry, left] of master) {
    const isTemplate = entry.split(' ')[2] === '0000';
    const here = backup.get(entry)!;
    if (isTemplate && version === 0) expect(here, entry).toBeLessThanOrEqual(TEMPLATE_SEC_V0);
    else expect(Math.abs(here - left), entry).toBeLessThanOrEqual(seconds);
  }
}
