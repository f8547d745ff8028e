import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { DOCUMENTS } from '../../src/docs-gen/documents.ts';
import { commandSyntax } from '../../src/docs-gen/ipvsadm-syntax.ts';
import { flagWords, optionWords, schedulerWords } from '../../src/docs-gen/ipvsadm-words.ts';
import { filled, marked } from '../../src/docs-gen/roff.ts';
import { readOption } from '../../src/docs-gen/verb-syntax.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

test.each(Object.entries(DOCUMENTS))("%s is what 'npm run docs' makes of the tables", (path, make) => {
  expect(readFileSync(`${ROOT}${path}`, 'utf8')).toBe(make());
});

test.each([
  { option: '--json', spellings: ['--json'], argument: undefined },
  { option: '-a, --all', spellings: ['-a', '--all'], argument: undefined },
  { option: '--drain SEC', spellings: ['--drain'], argument: { label: 'SEC', choice: 'anything' } },
  { option: '--rules FILE', spellings: ['--rules'], argument: { label: 'FILE', choice: 'file' } },
  { option: '-d, --out DIR', spellings: ['-d', '--out'], argument: { label: 'DIR', choice: 'directory' } },
  {
    option: '--io auto|node',
    spellings: ['--io'],
    argument: { label: 'auto|node', choice: ['auto', 'node'] },
  },
])('a verb\'s option "$option" is understood', ({ option, spellings, argument }) => {
  expect(readOption(option, 'x')).toEqual({
    spellings,
    summary: 'x',
    ...(argument && { argument: { ...argument, optional: false } }),
  });
});

test.each(['', 'json', '-a,--all', '-a or -b'])(
  'a verb\'s option of another form, "%s", is a defect',
  (option) => {
    expect(() => readOption(option, '')).toThrow('no known form');
  },
);

test('what nothing is said about is a defect', () => {
  for (const words of [optionWords, schedulerWords, flagWords]) {
    expect(() => words('nothing')).toThrow('says nothing about nothing');
  }
});

test('a command takes the options that it is checked for, and of the unchecked ones those that are of use', () => {
  const longs = (command: Parameters<typeof commandSyntax>[0]) =>
    commandSyntax(command).options.map(({ spellings }) => spellings.at(-1));
  expect(longs('zero')).toEqual([
    '--tcp-service',
    '--udp-service',
    '--sctp-service',
    '--fwmark-service',
    '--ipv6',
  ]);
  expect(longs('save')).toEqual(['--numeric']);
  expect(longs('flush')).toEqual([]);
  expect(longs('list')).toContain('--sort');
});

test('text in a manual keeps its minus signs, quotes and backslashes, and no line of it is a request', () => {
  expect(marked("`-a` isn't <it>, \\")).toBe('\\fB\\-a\\fR isn\\(aqt \\fIit\\fR, \\e');
  expect(filled(`${'x '.repeat(60)}.x`).map((line) => line[0])).not.toContain('.');
  expect(filled(`${'x'.repeat(109)} .SH`)).toEqual(['x'.repeat(109), '\\&.SH']);
});
