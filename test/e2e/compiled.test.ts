import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { bundleScript, COMPILED, load } from '../../src/compiled.ts';

const DIST = fileURLToPath(new URL('../../dist', import.meta.url));
const BUNDLES = ['ipvsadm.cjs', 'run/main.cjs', 'run/thread.cjs', 'sim/main.cjs', 'sim/worker.cjs'];

test.each(BUNDLES)('this V8 takes what was compiled of %s', (name) => {
  const file = join(DIST, name);
  expect(bundleScript(file, readFileSync(file + COMPILED)).cachedDataRejected).toBe(false);
});

test('a bundle that another V8 compiled is compiled anew', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'uipvs-compiled-'));
  onTestFinished(() => rmSync(scratch, { recursive: true }));
  const file = join(scratch, 'ipvsadm.cjs');
  copyFileSync(join(DIST, 'ipvsadm.cjs'), file);
  const compiled = readFileSync(join(DIST, `ipvsadm.cjs${COMPILED}`));
  // The second word is V8's version.
  compiled.writeUInt32LE(~compiled.readUInt32LE(4) >>> 0, 4);
  writeFileSync(file + COMPILED, compiled);
  expect(bundleScript(file, compiled).cachedDataRejected).toBe(true);
  expect(load(file)).toHaveProperty('runIpvsadm');
});
