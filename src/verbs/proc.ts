import { connectToDirector } from '../control/client.ts';
import { PROC_NAMES } from '../core/commands.ts';
import { expectPositionals, parseVerbArgs, UsageError } from './arguments.ts';
import type { Terminal } from './terminal.ts';

/** `uipvs proc NAME`: the text that a kernel shows as /proc/net/NAME. */
export async function runProc(args: readonly string[], terminal: Terminal): Promise<number> {
  const { positionals } = parseVerbArgs('proc', args, {});
  expectPositionals('proc', positionals, 1);
  const name = PROC_NAMES.find((known) => known === positionals[0]);
  if (name === undefined) {
    throw new UsageError(`proc: no text '${positionals[0]}'; there are ${PROC_NAMES.join(', ')}`);
  }
  const director = await connectToDirector({ autostart: false });
  try {
    for (let from = 0; from >= 0; ) {
      const slice = await director.ask({ query: 'proc', name, from });
      await terminal.print(slice.text);
      from = slice.next;
    }
  } finally {
    director.close();
  }
  return 0;
}
