import { type ParseArgsConfig, parseArgs } from 'node:util';

/** A command line that cannot be understood; the message is a line for people. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** node:util's parseArgs, whose complaints become UsageErrors that name the verb. */
export function parseVerbArgs<Options extends NonNullable<ParseArgsConfig['options']>>(
  verb: string,
  args: readonly string[],
  options: Options,
): ReturnType<typeof parseArgs<{ options: Options; allowPositionals: true }>> {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    const reason = error instanceof Error ? error.message.split(/[.\n]/)[0] : String(error);
    throw new UsageError(`${verb}: ${reason}; see 'uipvs help ${verb}'`);
  }
}

/** @throws UsageError unless there are exactly `count` positional arguments. */
export function expectPositionals(verb: string, found: readonly string[], count: number): void {
  if (found.length === count) return;
  const wanted = count === 0 ? 'takes no argument' : `takes ${count} argument${count === 1 ? '' : 's'}`;
  throw new UsageError(`${verb}: ${wanted}; see 'uipvs help ${verb}'`);
}
