import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { beforeEach, expect, test } from 'vitest';
import {
  COMPLAINT_PERIOD_MS,
  ProcSnapshots,
  removeSnapshots,
  SNAPSHOT_PERIOD_MS,
  snapshotDir,
} from '../../src/control/snapshots.ts';
import { PROC_NAMES, type Query } from '../../src/core/commands.ts';
import { FakeDirector } from './fake-director.ts';
import { tempDir } from './temp-dir.ts';

let runtimeDir: string;
let director: FakeDirector;
let clock: FakeClock;
let warnings: string[];
let snapshots: ProcSnapshots;

beforeEach(() => {
  runtimeDir = tempDir();
  director = new FakeDirector();
  director.answers = {
    proc: ({ name, from }) => ({ text: `${name} ${from}\n`, next: from < 2 ? from + 1 : -1 }),
  };
  clock = new FakeClock();
  warnings = [];
  snapshots = new ProcSnapshots({
    runtimeDir,
    director,
    warn: (line) => warnings.push(line),
    now: () => clock.now,
    after: clock.after,
  });
});

const file = (name: string): string => join(snapshotDir(runtimeDir), name);
const text = (name: string): string => readFileSync(file(name), 'utf8');

test('every text of /proc/net is there after the start, all its slices together', async () => {
  await snapshots.start();
  expect(readdirSync(snapshotDir(runtimeDir)).sort()).toEqual([...PROC_NAMES].sort());
  for (const name of PROC_NAMES) expect(text(name)).toBe(`${name} 0\n${name} 1\n${name} 2\n`);
});

test('the texts are replaced every two seconds, counted from begin to begin', async () => {
  await snapshots.start();
  director.answers = { proc: () => ({ text: 'newer\n', next: -1 }) };
  clock.advance(SNAPSHOT_PERIOD_MS - 1);
  expect(text('ip_vs')).toBe('ip_vs 0\nip_vs 1\nip_vs 2\n');
  clock.advance(1);
  await written(() => text('ip_vs_app') === 'newer\n');
  expect(text('ip_vs')).toBe('newer\n');
});

test('a snapshot that took longer than its period is followed by the next one at once', async () => {
  director.answers = {
    proc: () => {
      clock.now += SNAPSHOT_PERIOD_MS;
      return { text: '', next: -1 };
    },
  };
  await snapshots.start();
  expect(clock.waits).toEqual([0]);
});

test('a reader that has a file open keeps the old text, whole', async () => {
  await snapshots.start();
  const reader = openSync(file('ip_vs'), 'r');
  try {
    director.answers = { proc: () => ({ text: 'newer\n', next: -1 }) };
    await nextRound();
    expect(readFileSync(reader, 'utf8')).toBe('ip_vs 0\nip_vs 1\nip_vs 2\n');
    expect(text('ip_vs')).toBe('newer\n');
  } finally {
    closeSync(reader);
  }
});

test('the stop removes the files and their directories, and no snapshot follows', async () => {
  await snapshots.start();
  await snapshots.stop();
  expect(existsSync(join(runtimeDir, 'proc'))).toBe(false);
  expect(clock.pending).toBe(0);
});

test('the stop does not wait for a director that does not answer', async () => {
  const asked: Query[] = [];
  snapshots = new ProcSnapshots({
    runtimeDir,
    director: {
      ask: (query) => {
        asked.push(query);
        return new Promise(() => {});
      },
    },
    warn: (line) => warnings.push(line),
    now: () => clock.now,
    after: clock.after,
  });
  const started = snapshots.start();
  await written(() => asked.length > 0);
  await snapshots.stop();
  await started;
  expect(existsSync(join(runtimeDir, 'proc'))).toBe(false);
  expect(clock.pending).toBe(0);
});

test('foreign files beside the snapshots stay', async () => {
  await snapshots.start();
  writeFileSync(file('mine'), '');
  await snapshots.stop();
  expect(readdirSync(snapshotDir(runtimeDir))).toEqual(['mine']);
});

test('what a killed director left is removed, half-written files too', () => {
  mkdirSync(snapshotDir(runtimeDir), { recursive: true });
  for (const name of ['ip_vs', '.ip_vs_conn.new']) writeFileSync(file(name), 'old');
  removeSnapshots(runtimeDir);
  expect(existsSync(join(runtimeDir, 'proc'))).toBe(false);
  removeSnapshots(runtimeDir);
});

test('a failure is told once a minute, tried again all the time, and healed by itself', async () => {
  writeFileSync(join(runtimeDir, 'proc'), 'in the way');
  await snapshots.start();
  const line = `proc snapshots: write ${file('ip_vs')}: ENOTDIR`;
  expect(warnings).toEqual([line]);
  while (clock.now < COMPLAINT_PERIOD_MS - SNAPSHOT_PERIOD_MS) await nextRound();
  expect(warnings).toEqual([line]);
  await nextRound();
  expect(warnings).toEqual([line, line]);
  rmSync(join(runtimeDir, 'proc'));
  await nextRound();
  expect(text('ip_vs_app')).toContain('ip_vs_app 2');
  expect(warnings).toHaveLength(2);
});

test('one file that cannot be replaced does not keep the others back', async () => {
  mkdirSync(join(file('ip_vs_conn'), 'sub'), { recursive: true });
  await snapshots.start();
  expect(warnings).toEqual([expect.stringMatching(/^proc snapshots: write .*\/ip_vs_conn: E/)]);
  expect(text('ip_vs_stats')).toContain('ip_vs_stats 2');
  expect(readdirSync(snapshotDir(runtimeDir)).sort()).toEqual([...PROC_NAMES].sort());
});

/** Goes on by one period and waits until that round is over. */
async function nextRound(): Promise<void> {
  const rounds = clock.waits.length;
  clock.advance(SNAPSHOT_PERIOD_MS);
  await written(() => clock.waits.length > rounds);
}

/** Lets the file system catch up. @throws if that does not help */
async function written(holds: () => boolean): Promise<void> {
  for (let i = 0; !holds(); i++) {
    if (i > 100_000) throw new Error('the snapshots do not come');
    await setImmediate();
  }
}

/** Time that stands still unless a test moves it; one timer at a time. */
class FakeClock {
  now = 0;
  /** Every wait that was asked for, in milliseconds. */
  readonly waits: number[] = [];
  private timer: { readonly at: number; readonly callback: () => void } | undefined;

  readonly after = (ms: number, callback: () => void): (() => void) => {
    this.waits.push(ms);
    this.timer = { at: this.now + ms, callback };
    return () => {
      this.timer = undefined;
    };
  };

  get pending(): number {
    return this.timer ? 1 : 0;
  }

  advance(ms: number): void {
    this.now += ms;
    const due = this.timer;
    if (!due || due.at > this.now) return;
    this.timer = undefined;
    due.callback();
  }
}
