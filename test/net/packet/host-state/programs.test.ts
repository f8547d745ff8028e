import { describe, expect, test } from 'vitest';
import { SerialPrograms } from '../../../../src/net/packet/host-state/programs.ts';
import { isMissing } from '../../../support/programs.ts';

describe.skipIf(isMissing('ip'))('programs of the host', () => {
  test('run one after the other, a failed one does not stop the next', async () => {
    const programs = new SerialPrograms();
    const order: string[] = [];
    const note = (name: string) => () => order.push(name);
    await Promise.all([
      programs.run('ip', ['-V']).then(note('version')),
      programs.run('ip', ['no-such-object']).catch(note('failure')),
      programs.run('ip', ['-json', 'link', 'show', 'dev', 'lo']).then(note('link')),
    ]);
    expect(order).toEqual(['version', 'failure', 'link']);
  });

  test('say in one line what was run and why it failed', async () => {
    const run = new SerialPrograms().run('ip', ['-batch', '-'], 'no-such-object show\n');
    await expect(run).rejects.toThrow(/^ip -batch -: Object "no-such-object" is unknown[^\n]*$/);
  });
});

test('a program that is not there is named with its package', async () => {
  const run = new SerialPrograms('/nonexistent').run('nft', ['list', 'tables']);
  await expect(run).rejects.toThrow('nft list tables: no such program; install the package nftables');
});
