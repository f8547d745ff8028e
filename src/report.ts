import { NoDirector } from './control/client.ts';
import { SystemError } from './control/system-error.ts';
import { IpvsError } from './core/errors.ts';
import { UsageError } from './verbs/arguments.ts';
import type { Terminal } from './verbs/terminal.ts';

/** Exit statuses of the program. */
export const EXIT = { OK: 0, FAILED: 1, USAGE: 2, INTERNAL: 70 } as const;

/** Standard output and standard error. */
export const TERMINAL: Terminal = {
  print: (text) =>
    new Promise((resolve) => {
      if (process.stdout.write(text)) resolve();
      else process.stdout.once('drain', resolve);
    }),
  complain: (line) => void process.stderr.write(`uipvs: ${line}\n`),
};

/** Ends the program when nobody reads its output any more. */
export function watchOutput(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // The reader has seen enough.
    process.exit(error.code === 'EPIPE' ? EXIT.OK : EXIT.FAILED);
  });
}

/** Tells why a verb failed. @returns the exit status */
export function report(error: unknown): number {
  if (error instanceof UsageError || error instanceof NoDirector) {
    TERMINAL.complain(error.message);
    return EXIT.USAGE;
  }
  if (error instanceof IpvsError || error instanceof SystemError) {
    TERMINAL.complain(error.message);
    return EXIT.FAILED;
  }
  TERMINAL.complain(`internal error: ${error instanceof Error ? error.stack : String(error)}`);
  return EXIT.INTERNAL;
}
