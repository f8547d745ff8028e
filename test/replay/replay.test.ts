import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Lab } from './lab.ts';
import { replayScenario } from './scenario.ts';

const FOLDER = new URL('../golden/traffic/', import.meta.url);
const NAMES = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.golden'))
  .map((name) => name.replace('.golden', ''));

/** Scenarios that the core alone does not decide, with the reason; test/e2e/traffic.test.ts plays them. */
const BEYOND_THE_CORE: Readonly<Record<string, string>> = {
  '180-packets-on-the-wire': "wire images; its last answer depends on what a server's tunnel accepts",
  '186-wire-tunnel6': 'wire images; who answers depends on the tunnels that the servers have',
  '187-mtu': 'path MTU: the forwarder finds the packet too long and answers it',
};

const included = NAMES.filter((name) => !(name in BEYOND_THE_CORE));

describe('the core does what a kernel did in the recorded scenario', () => {
  test.each(included)('%s', async (name) => {
    const replayed = await replayScenario(new URL(`${name}.golden`, FOLDER), new Lab());
    expect(replayed.differences).toEqual([]);
    expect(replayed.compared).toBeGreaterThan(0);
  });
});

test.each(Object.keys(BEYOND_THE_CORE))('%s, which only real packets decide, is in the folder', (name) => {
  expect(NAMES).toContain(name);
});
