import { expect, test } from 'vitest';
import { runDecap } from '../../src/decap.ts';
import { UsageError } from '../../src/verbs/arguments.ts';

test.each([
  [[], "decap: wants --tunnel; see 'uipvs help decap'"],
  [['--tunnel', 'vxlan'], "decap: --tunnel wants ipip, gue, gue:PORT or gre, joined by commas, not 'vxlan'"],
  [['--tunnel', 'gre', 'x'], "decap: takes no argument; see 'uipvs help decap'"],
  [
    ['--tunnel', 'gre', '--dev', 'a/b'],
    "decap: --dev wants up to 15 letters, digits, '.', '-' and '_', not 'a/b'",
  ],
  [
    ['--tunnel', 'gre', '--dev', '..'],
    "decap: --dev wants up to 15 letters, digits, '.', '-' and '_', not '..'",
  ],
  [
    ['--tunnel', 'gre', '--dev', 'sixteen-letters-'],
    "decap: --dev wants up to 15 letters, digits, '.', '-' and '_', not 'sixteen-letters-'",
  ],
  [['--tunnel', 'gre', '--mtu', '1279'], "decap: --mtu wants a number from 1280 to 65535, not '1279'"],
  [['--tunnel', 'gre', '--mtu', '70000'], "decap: --mtu wants a number from 1280 to 65535, not '70000'"],
])('decap %j is refused before anything is opened', async (args, message) => {
  const terminal = { print: expect.unreachable, complain: expect.unreachable };
  await expect(runDecap(args, terminal)).rejects.toThrow(new UsageError(message));
});
