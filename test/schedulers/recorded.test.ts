import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { replay } from './replay.ts';

const FOLDER = new URL('../golden/schedulers/', import.meta.url);
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith('.golden'));

describe('servers and counters are those of the kernel in the recorded scenario', () => {
  test.each(FILES)('%s', (name) => {
    const { recorded, replayed } = replay(new URL(name, FOLDER));
    expect(recorded.length).toBeGreaterThan(0);
    expect(replayed).toEqual(recorded);
  });
});
