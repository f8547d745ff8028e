import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { type DocBlock, docBlocks } from '../support/doc-blocks.ts';
import { lacksPackets } from '../support/network-namespaces.ts';
import { type Finished, run } from '../support/processes.ts';
import { isMissing } from '../support/programs.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Written before each block's own output. */
const MARK = '@@ block';

const blocks = docBlocks(readFileSync(`${ROOT}/docs/modes.md`, 'utf8'));
const has = ({ words }: DocBlock, word: string): boolean => words.includes(word);
const lab = blocks.filter((block) => has(block, 'lab'));
const steps = lab.filter((block) => !has(block, 'cleanup'));
const cleanup = lab.find((block) => has(block, 'cleanup'))!;

/** What a block prints, by the document: the block of output right behind it, if there is one. */
function expected(step: DocBlock): string {
  const next = blocks[blocks.indexOf(step) + 1];
  return next && has(next, 'output') ? next.text : '';
}

/** Complaints go to a file: programs left in the background would keep a pipe open. */
async function bash(script: string): Promise<Finished> {
  const scratch = mkdtempSync(join(tmpdir(), 'uipvs-modes-'));
  const complaints = join(scratch, 'stderr');
  const command = ['bash', '-euo', 'pipefail', '-c', `exec 2> ${complaints}\n${script}`];
  const finished = await run(command, { cwd: ROOT, timeoutMs: 120_000 });
  const stderr = readFileSync(complaints, 'utf8');
  rmSync(scratch, { recursive: true });
  return { ...finished, stderr };
}

const skipped = lacksPackets() || isMissing('bash', 'curl', 'nft', 'sysctl', 'xargs');

describe.skipIf(skipped)('docs/modes.md', () => {
  let isCleaned = false;
  afterAll(async () => {
    if (!isCleaned) await bash(cleanup.text.replaceAll('ip netns del', 'ip netns del 2> /dev/null'));
  });

  test('its laboratory prints what it says, for NAT, direct routing and tunnels, and goes without a trace', async () => {
    const script = steps.map(({ text, line }) => `echo '${MARK} ${line}'\n${text}`).join('');
    const { status, stdout, stderr } = await bash(`${script}echo '${MARK} 0'\n`);
    const printed = stdout.split(new RegExp(`^${MARK} \\d+\\n`, 'm')).slice(1);
    const shown = steps.map((step, i) => ({ line: step.line, printed: printed[i] }));
    expect(shown, stderr).toEqual(steps.map((step) => ({ line: step.line, printed: expected(step) })));
    expect(status).toBe(0);

    expect(await bash(cleanup.text)).toMatchObject({ status: 0, stdout: '', stderr: '' });
    isCleaned = true;
    expect((await run(['ip', 'netns', 'list'])).stdout).not.toContain('lvs-');
    expect(existsSync('/tmp/lvs-lab')).toBe(false);
  }, 180_000);

  test('it has a mode for every method, and output behind each', () => {
    const text = steps.map((step) => step.text).join('');
    for (const option of ['-m\n', '-g\n', '-i\n', '--tun-type gre', '--tun-type gue'])
      expect(text).toContain(option);
    expect(steps.filter((step) => expected(step) !== '').length).toBe(4);
  });
});
