import { readFileSync } from 'node:fs';
import { SystemNames } from '../../cli/names.ts';
import { parseArguments } from '../../cli/parse.ts';
import { UsageError as LineError } from '../../cli/usage-error.ts';
import type { Command } from '../../core/commands.ts';
import { IpvsError } from '../../core/errors.ts';
import { makeDirector } from '../../sim/setup.ts';
import { schedulers } from '../../sim/simulate.ts';

/** A file that says something that cannot be; the message is FILE:LINE:COLUMN and what was expected. */
export class InputError extends Error {
  override readonly name = 'InputError';
}

/** @throws InputError if the file cannot be read */
export function readInput(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new InputError(
      `${path}: cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/**
 * Reads rules as `ipvsadm -S` writes them.
 * @returns the changes that make them
 * @throws InputError for the first line that ipvsadm or the director's tables would refuse
 */
export async function readRules(path: string): Promise<readonly Command[]> {
  const names = new SystemNames();
  const commands: Command[] = [];
  const director = makeDirector([], schedulers, () => 0, 1);
  for (const [i, text] of readInput(path).split('\n').entries()) {
    const words = wordsOf(text);
    if (words.length === 0) continue;
    const fail = (message: string): InputError => {
      const named = words.find(({ word }) => word.length > 1 && message.includes(word));
      return new InputError(`${path}:${i + 1}:${(named ?? words[0]!).column}: ${message}`);
    };
    try {
      const request = await parseArguments(
        words.map(({ word }) => word),
        names,
        true,
      );
      if (request.kind !== 'change') throw fail('expected a rule, such as -A or -a');
      director.apply(request.change, 0);
      commands.push(request.change);
    } catch (error) {
      if (error instanceof LineError || error instanceof IpvsError) throw fail(error.message);
      throw error;
    }
  }
  return commands;
}

/** Words and where they begin, from 1; a leading name of the program means nothing. */
function wordsOf(line: string): { readonly word: string; readonly column: number }[] {
  return [...line.matchAll(/[^ \t\r]+/g)]
    .map(({ 0: word, index }) => ({ word, column: index + 1 }))
    .filter(({ word }) => word !== 'ipvsadm');
}
