import fc from 'fast-check';
import { expect, test } from 'vitest';
import { COMMANDS, type CommandName, commandSpec } from '../../src/cli/commands.ts';
import { OPTIONS, type OptionSpec } from '../../src/cli/options.ts';
import { InProcess } from './in-process.ts';

const SPECS: readonly OptionSpec[] = OPTIONS;
const spellings = ({ long, short = [] }: { long: string; short?: string | readonly string[] }): string[] => [
  `--${long}`,
  ...[...short].map((letter) => `-${letter}`),
];
const SPELLINGS = [
  ...(Object.keys(COMMANDS) as CommandName[]).map(commandSpec).flatMap(spellings),
  ...SPECS.flatMap(spellings),
];
const VALUES = [
  '10.0.0.1:80',
  '[::1]:80',
  'vip',
  'rr',
  '1',
  '0',
  '-1',
  'lo',
  'master',
  'gue',
  'x',
  '',
  '4294967296',
];

const word = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...SPELLINGS) },
  { weight: 4, arbitrary: fc.constantFrom(...VALUES) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constantFrom(...SPELLINGS), fc.constantFrom(...VALUES)).map((p) => p.join('=')),
  },
  { weight: 1, arbitrary: fc.string({ maxLength: 8 }) },
);
const words = fc.array(word, { maxLength: 10 });

/** A table that is not empty, so that a wrong change would show. */
async function filled(): Promise<InProcess> {
  const program = new InProcess();
  const rules =
    '-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -r 192.168.0.1 -m\n-A -f 1\n-A -t [::1]:80 -s sh -b sh-port\n';
  expect((await program.run(['-R'], rules)).status).toBe(0);
  return program;
}

const tables = ({ director }: InProcess): unknown => [
  director
    .ask({ query: 'services' }, 0)
    .map((service) => [service, director.ask({ query: 'dests', service }, 0)]),
  director.ask({ query: 'timeouts' }, 0),
  director.ask({ query: 'daemons' }, 0),
];

test('no command line breaks the program, and a refused one changes nothing', async () => {
  await fc.assert(
    fc.asyncProperty(words, async (line) => {
      const program = await filled();
      const before = tables(program);
      const { status, stderr } = await program.run(line, '');
      expect([0, 1, 2, 255]).toContain(status);
      if (status === 0) return;
      expect(tables(program)).toEqual(before);
      const silent = status === 1;
      expect(silent || stderr.endsWith('\n')).toBe(true);
    }),
    { numRuns: 500 },
  );
});

test('no input breaks a restore', async () => {
  const separator = fc.constantFrom(' ', '\t', '\n', '\r\n', '  ');
  const text = fc.array(fc.tuple(word, separator), { maxLength: 40 }).map((pairs) => pairs.flat().join(''));
  await fc.assert(
    fc.asyncProperty(text, async (input) => {
      const { status } = await (await filled()).run(['-R'], input);
      expect([0, 1, 2, 255]).toContain(status);
    }),
    { numRuns: 300 },
  );
});

const host = fc.constantFrom('10.0.0.1', '10.0.0.10', '192.168.0.1', '2001:db8::10', '::1');
const endpoint = fc
  .tuple(host, fc.constantFrom(53, 80, 443, 8080, 12345))
  .map(([name, port]) => (name.includes(':') ? `[${name}]:${port}` : `${name}:${port}`));
const service = fc.oneof(
  fc.tuple(fc.constantFrom('-t', '-u', '--sctp-service'), endpoint).map((p) => p.join(' ')),
  fc.constantFrom('-f 1', '-f 2 -6', '-f 77'),
);
const some = (...choices: string[]): fc.Arbitrary<string> => fc.constantFrom('', ...choices);
const rule = fc.oneof(
  fc.tuple(
    fc.constant('-A'),
    service,
    some('-s rr', '-s sh -b sh-port'),
    some('-p', '-p 60 -M 64'),
    some('--pe sip'),
  ),
  fc.tuple(
    fc.constant('-a'),
    service,
    endpoint.map((server) => `-r ${server}`),
    some('-m', '-i', '-i --tun-type gre --tun-csum', '-i --tun-type gue --tun-port 6080'),
    some('-w 0', '-w 7'),
  ),
);

test('what -S -n writes makes the same tables again', async () => {
  const save = ['-S', '-n'];
  await fc.assert(
    fc.asyncProperty(fc.array(rule, { maxLength: 30 }), async (rules) => {
      const program = new InProcess();
      for (const line of rules) await program.run(line.join(' ').split(/ +/).filter(Boolean));
      const saved = await program.run(save);
      const again = new InProcess();
      expect(await again.run(['-R'], saved.stdout)).toEqual({ status: 0, stdout: '', stderr: '' });
      expect((await again.run(save)).stdout).toBe(saved.stdout);
    }),
    { numRuns: 100 },
  );
});
