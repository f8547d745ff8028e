import { fileURLToPath } from 'node:url';
import type { TestDirector } from './director.ts';
import { type Finished, run } from './processes.ts';

export const UIPVS = fileURLToPath(new URL('../../bin/uipvs', import.meta.url));

/** The command line that runs a program against a director; the words of `options` come before the command. */
export function wrappedCommand(command: readonly string[], options: readonly string[] = []): string[] {
  return [process.execPath, UIPVS, 'run', ...options, '--', ...command];
}

/** Runs a program against a director, as the user that the tests run as. */
export function runWrapped(
  director: TestDirector,
  command: readonly string[],
  { options = [], input = '' }: { options?: readonly string[]; input?: string } = {},
): Promise<Finished> {
  return run(wrappedCommand(command, options), { env: director.env, input, timeoutMs: 60_000 });
}

/** Runs a script of bash; see runWrapped. */
export const runScript = (
  director: TestDirector,
  script: string,
  options: readonly string[] = [],
): Promise<Finished> => runWrapped(director, ['bash', '-c', script], { options });
