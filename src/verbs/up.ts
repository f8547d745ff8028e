import { processPaths } from '../control/paths.ts';
import { DirectorEnded, startDirector, UNTIL_EOF } from '../control/start.ts';
import { UsageError } from './arguments.ts';
import type { Terminal } from './terminal.ts';

const TIMEOUT_MS = 30_000;
const USAGE = 2;

/** `uipvs up [DAEMON-OPTION]...`; the director judges the options. */
export async function runUp(args: readonly string[], terminal: Terminal): Promise<number> {
  if (args.includes(UNTIL_EOF)) throw new UsageError(`up: ${UNTIL_EOF} is for a director in the foreground`);
  try {
    const { started, runtimeDir, warning } = await startDirector(processPaths(), args, TIMEOUT_MS);
    if (warning !== undefined) terminal.complain(warning);
    await terminal.print(`director ${started ? 'started' : 'already runs'} in ${runtimeDir}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof DirectorEnded) || error.status !== USAGE) throw error;
    terminal.complain(error.message);
    return USAGE;
  }
}
