import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { StateFile } from '../../src/control/state-file.ts';
import { bundleProgram, startProgram } from './child-program.ts';
import { tempDir } from './temp-dir.ts';

test('every acknowledged record is there after a kill -9 at any time', async () => {
  const program = bundleProgram('append-program', tempDir());
  for (const afterBytes of [1, 100, 1000, 10_000, 40_000]) {
    const path = join(tempDir(), 'state');
    const child = startProgram(program, path);
    let said = '';
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (said.length >= afterBytes) child.kill('SIGKILL');
    });
    await once(child, 'close');
    const acknowledged = said.split('\n').length - 1;
    const { file, commands } = StateFile.open(path);
    file.close();
    expect(acknowledged).toBeGreaterThan(0);
    expect(commands.length).toBeGreaterThanOrEqual(acknowledged);
    expect(commands.map((command) => (command.op === 'set-sysctl' ? command.value : ''))).toEqual(
      commands.map((_, n) => String(n)),
    );
  }
}, 30_000);
