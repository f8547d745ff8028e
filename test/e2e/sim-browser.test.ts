import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPage } from '../support/chromium.ts';
import { run } from '../support/processes.ts';
import { isMissing } from '../support/programs.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Simulates, and leaves the result where both sides find it. */
const PROGRAM = `
  import { parseAddress, parseWorkload, schedulers, simulate } from 'uipvs/core';
  const addr = parseAddress('10.0.0.1');
  const service = { family: addr.family, protocol: 6, addr, port: 80, fwmark: 0 };
  const config = { ...service, scheduler: 'wlc', flags: 0, timeoutSec: 0, netmask: 0xffffffff, pe: '' };
  const none = { method: 0, upperThreshold: 0, lowerThreshold: 0, tunnelType: 0, tunnelPort: 0, tunnelFlags: 0 };
  const dest = (text) => ({ addr: parseAddress(text), port: 80, weight: 1, ...none });
  const commands = [
    { op: 'add-service', service: config, flagsMask: 0xffffffff },
    { op: 'add-dest', service, dest: dest('10.0.0.2') },
    { op: 'add-dest', service, dest: dest('10.0.0.3') },
  ];
  const text = 'connections: 2000\\narrivals: { kind: poisson, rate: 100 }\\nserviceTime: { kind: exponential, mean: 10ms }\\n';
  const { workload } = parseWorkload(text, () => new Error('none'));
  const { response, outcomes } = simulate({ commands, workload, seed: 1, replication: 0 });
  globalThis.answer = JSON.stringify({ names: schedulers.length, response, outcomes });
`;

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'uipvs-browser-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: PROGRAM, resolveDir: ROOT },
    bundle: true,
    write: false,
    platform: 'browser',
    format: 'iife',
    logLevel: 'silent',
  });
  return outputFiles[0]!.text;
}

test('the library bundles for a browser with no Node API, and works in Node as such', async () => {
  const script = join(dir, 'program.cjs');
  writeFileSync(script, `${await bundle()};process.stdout.write(globalThis.answer);`);
  const { stdout, stderr } = await run([process.execPath, script]);
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toMatchObject({ outcomes: { arrived: 2000, completed: 2000 } });
});

test.skipIf(isMissing('chromium'))(
  'a browser computes the same bits as Node',
  async () => {
    const program = await bundle();
    const script = join(dir, 'program.cjs');
    writeFileSync(script, `${program};process.stdout.write(globalThis.answer);`);
    const page = join(dir, 'page.html');
    const inline = program.replaceAll('</script', '<\\/script');
    writeFileSync(
      page,
      `<!doctype html><pre></pre><script>${inline};document.querySelector('pre').textContent = answer;</script>`,
    );
    const node = await run([process.execPath, script]);
    const chromium = await openPage(page, ['--dump-dom']);
    expect(/<pre>(.*)<\/pre>/.exec(chromium.stdout)?.[1]).toBe(node.stdout);
  },
  120_000,
);
