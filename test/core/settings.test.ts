import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { IpvsError } from '../../src/core/errors.ts';
import { SETTINGS, Settings } from '../../src/core/settings.ts';

interface Recorded {
  readonly default: string;
  /** What was written, and what the file showed then; null for a refused text. */
  readonly writes: readonly (readonly [string, string | null])[];
}

const { kernel: _, ...RECORDED } = JSON.parse(
  readFileSync(new URL('../golden/sysctl.json', import.meta.url), 'utf8'),
) as { kernel: string } & Record<string, Recorded>;

/** Depends on the memory of the machine. */
const OWN_DEFAULT = 'sync_qlen_max';

function valueAfter(name: string, written: string): string | null {
  const settings = new Settings();
  try {
    settings.set(name, written);
  } catch (error) {
    if (error instanceof IpvsError && error.errno === 'EINVAL') return null;
    throw error;
  }
  return settings.list(name)[0]!.value;
}

test('there is a setting for each file of the kernel, and no other', () => {
  expect(Object.keys(SETTINGS).sort()).toEqual(Object.keys(RECORDED).sort());
});

const standards = Object.entries(RECORDED).filter(([name]) => name !== OWN_DEFAULT);

test.each(standards)('%s has the default of the kernel', (name, { default: value }) => {
  expect(new Settings().list(name)).toEqual([{ name, value }]);
});

test.each(Object.entries(RECORDED))(
  '%s takes, refuses and shows what the kernel does',
  (name, { writes }) => {
    expect(writes.map(([written]) => [written, valueAfter(name, written)])).toEqual(writes);
  },
);

test('a setting that is refused keeps its value', () => {
  const settings = new Settings();
  settings.set('sync_threshold', '5 60');
  expect(() => settings.set('sync_threshold', '60')).toThrow(IpvsError);
  expect(settings.list('sync_threshold')[0]!.value).toBe('5\t60');
});

test('one integer changes the first of a pair only', () => {
  const settings = new Settings();
  settings.set('sync_threshold', '5 60');
  settings.set('sync_threshold', '7');
  expect(settings.list('sync_threshold')[0]!.value).toBe('7\t60');
});
