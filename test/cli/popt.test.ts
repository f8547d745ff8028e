import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OptionIndex, OptionReader, type Readable } from '../../src/cli/popt.ts';

const OPTIONS: readonly Readable[] = [
  { long: 'all', short: ['A', 'a'], argument: 'none' },
  { long: 'size', short: 's', argument: 'required' },
  { long: 'keep', short: 'k', argument: 'optional' },
  { long: 'plain', argument: 'none' },
];
const INDEX = new OptionIndex(OPTIONS);

/** What the reader finds, written shortly: `size=5@word`, a fault as `word: reason`, then the words put aside. */
function readAll(words: readonly string[]): string[] {
  const reader = new OptionReader(words, INDEX);
  const found: string[] = [];
  for (let read = reader.next(); read.kind !== 'end'; read = reader.next()) {
    if (read.kind === 'fault') {
      found.push(`${read.word}: ${read.reason}`);
      break;
    }
    found.push(`${read.option.long}${read.value === undefined ? '' : `=${read.value}`}@${read.word}`);
  }
  return [...found, ...reader.leftover.map((word) => `'${word}'`)];
}

test.each([
  { words: ['-A', '--all'], finds: ['all@-A', 'all@--all'] },
  { words: ['-Aa'], finds: ['all@-Aa', 'all@-Aa'] },
  { words: ['-As5'], finds: ['all@-As5', 'size=5@-As5'] },
  { words: ['-s=5'], finds: ['size=5@-s=5'] },
  { words: ['-s==5'], finds: ['size==5@-s==5'] },
  { words: ['-s='], finds: ['size=@-s='] },
  { words: ['-s', '-A'], finds: ['size=-A@-A'] },
  { words: ['-s', '--'], finds: ['size=--@--'] },
  { words: ['--size=5'], finds: ['size=5@--size=5'] },
  { words: ['--size', '5'], finds: ['size=5@5'] },
  { words: ['--size=', '5'], finds: ['size=@--size=', "'5'"] },
  { words: ['-k', '5'], finds: ['keep=5@5'] },
  { words: ['-k', '-A'], finds: ['keep@-k', 'all@-A'] },
  { words: ['-k', '-'], finds: ['keep@-k', "'-'"] },
  { words: ['-kA'], finds: ['keep=A@-kA'] },
  { words: ['--keep', ''], finds: ['keep=@'] },
  { words: ['x', '-A', 'y'], finds: ['all@-A', "'x'", "'y'"] },
  { words: ['-A', '--', '-A', 'x'], finds: ['all@-A', "'-A'", "'x'"] },
  { words: ['', '-'], finds: ["''", "'-'"] },
  { words: ['-s'], finds: ['-s: missing argument'] },
  { words: ['-As'], finds: ['all@-As', '-As: missing argument'] },
  { words: ['--size'], finds: ['--size: missing argument'] },
  { words: ['-Q'], finds: ['-Q: unknown option'] },
  { words: ['-AQ'], finds: ['all@-AQ', '-AQ: unknown option'] },
  { words: ['--siz', '5'], finds: ['--siz: unknown option'] },
  { words: ['--p'], finds: ['--p: unknown option'] },
  { words: ['---all'], finds: ['---all: unknown option'] },
  { words: ['-A=1'], finds: ['-A=1: option does not take an argument'] },
  { words: ['--plain='], finds: ['--plain=: option does not take an argument'] },
])('$words are read as $finds', ({ words, finds }) => {
  expect(readAll(words)).toEqual(finds);
});

test('every line of words comes to an end, and no word is lost', () => {
  const word = fc.constantFrom(
    '-A',
    '-s',
    '-k',
    '--size',
    '--size=1',
    '--keep',
    '-As',
    '-Ak',
    'x',
    '-',
    '',
    '--plain',
  );
  fc.assert(
    fc.property(fc.array(word), (words) => {
      const reader = new OptionReader(words, INDEX);
      let taken = 0;
      for (let read = reader.next(); read.kind !== 'end'; read = reader.next()) {
        if (read.kind === 'fault') return;
        taken++;
      }
      expect(taken + reader.leftover.length).toBeGreaterThanOrEqual(words.length / 2);
      expect(words).toEqual(expect.arrayContaining(reader.leftover));
    }),
  );
});
