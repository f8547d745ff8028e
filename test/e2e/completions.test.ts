import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { SCHEDULERS } from '../../src/schedulers/registry.ts';
import { run } from '../support/processes.ts';
import { isMissing } from '../support/programs.ts';

const file = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** Words of a line, of which the cursor is at the end of the last, and all that is offered for that. */
const OFFERS: readonly { words: string[]; offers: string[] }[] = [
  { words: ['uipvs', 'install'], offers: ['install-links'] },
  { words: ['uipvs', 'd'], offers: ['daemon', 'decap', 'demo', 'down'] },
  { words: ['uipvs', 'daemon', '--plane', ''], offers: ['auto', 'none', 'packet', 'proxy'] },
  { words: ['uipvs', 'daemon', '--drain', ''], offers: [] },
  { words: ['uipvs', 'up', '--fre'], offers: ['--fresh'] },
  { words: ['uipvs', 'help', 'st'], offers: ['status'] },
  { words: ['uipvs', 'proc', 'ip_vs_st'], offers: ['ip_vs_stats', 'ip_vs_stats_percpu'] },
  { words: ['uipvs', 'sysctl', '-n', 'net.ipv4.vs.conn_'], offers: ['net.ipv4.vs.conn_reuse_mode'] },
  { words: ['uipvs', 'ipvsadm', '--stop'], offers: ['--stop-daemon'] },
  { words: ['uipvs', 'ipvsadm', '-e', '--tun-type', ''], offers: ['gre', 'gue', 'ipip'] },
  { words: ['ipvsadm', '--add'], offers: ['--add-server', '--add-service'] },
  { words: ['ipvsadm', '-A', '-s', ''], offers: SCHEDULERS.map(({ name }) => name).sort() },
  { words: ['ipvsadm', '-A', '-t', '192.0.2.1:80', '--scheduler', 'lb'], offers: ['lblc', 'lblcr'] },
  { words: ['ipvsadm', '-A', '-b', 'sh-'], offers: ['sh-fallback', 'sh-port'] },
  { words: ['ipvsadm', '-A', '--we'], offers: [] },
  { words: ['ipvsadm', '-a', '--we'], offers: ['--weight'] },
  { words: ['ipvsadm', '-a', '-r', ''], offers: [] },
  { words: ['ipvsadm', '--start-daemon', ''], offers: ['backup', 'master'] },
  { words: ['ipvsadm', '--start-daemon', 'master', '--mcast-interface', 'lo'], offers: ['lo'] },
  { words: ['uipvsadm', '-Ln', '--thr'], offers: ['--thresholds'] },
  { words: ['uipvsadm', '-C', '--'], offers: [] },
];

describe('bash', () => {
  const COMPLETE = `
    source "$0"
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    [[ $(complete -p "$1") =~ -F\\ ([^ ]+) ]]
    "\${BASH_REMATCH[1]}" || exit
    ((\${#COMPREPLY[@]} == 0)) || printf '%s\\n' "\${COMPREPLY[@]}"`;

  const offered = (words: readonly string[]): Promise<string[]> =>
    lines(['bash', '--norc', '-c', COMPLETE, file('completions/uipvs.bash'), ...words]);

  test.each(OFFERS)('completes $words', async ({ words, offers }) => {
    expect((await offered(words)).sort()).toEqual(offers);
  });

  test('completes an argument after an equals sign, where it splits the word', async () => {
    expect(await offered(['ipvsadm', '-a', '--tun-type', '=', 'g'])).toEqual(['gue', 'gre']);
    expect(await offered(['ipvsadm', '-a', '--tun-type', '='])).toEqual(['ipip', 'gue', 'gre']);
  });

  test('completes the directory for links', async () => {
    expect(await offered(['uipvs', 'install-links', '/usr/sbi'])).toEqual(['/usr/sbin']);
    expect(await offered(['uipvs', 'install-links', '/usr', '--rem'])).toEqual(['--remove']);
  });
});

describe.skipIf(isMissing('fish'))('fish', () => {
  const offered = async (words: readonly string[]): Promise<string[]> => {
    const script = 'source $argv[1]; complete -C "$argv[2]"';
    const found = await lines([
      'fish',
      '--no-config',
      '-c',
      script,
      file('completions/uipvs.fish'),
      words.join(' '),
    ]);
    // fish offers words that are only like the one at the cursor, too.
    return found.map((line) => line.split('\t')[0]!).filter((word) => word.startsWith(words.at(-1)!));
  };

  test.each(OFFERS)('completes $words', async ({ words, offers }) => {
    expect((await offered(words)).sort()).toEqual(offers);
  });
});

test.skipIf(isMissing('zsh'))('zsh understands its completions', async () => {
  expect(await lines(['zsh', '-f', '-n', file('completions/_uipvs')])).toEqual([]);
});

describe.skipIf(isMissing('groff'))('the manual', () => {
  test.each(['uipvs.8', 'uipvs-ipvsadm.8'])('%s is typeset without a warning', async (page) => {
    const { status, stdout, stderr } = await run([
      'groff',
      '-man',
      '-Tutf8',
      '-ww',
      '-rCHECKSTYLE=3',
      file(`docs/man/${page}`),
    ]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain('ipvsadm -A -t');
  });
});

/** @returns the lines that a program prints; it must succeed and complain of nothing */
async function lines(command: readonly string[]): Promise<string[]> {
  const { status, stdout, stderr } = await run(command);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout.split('\n').filter((line) => line !== '');
}
