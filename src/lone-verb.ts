import { EXIT, report, TERMINAL, watchOutput } from './report.ts';
import { verbHelp } from './verbs/help.ts';
import type { VerbName } from './verbs/table.ts';
import type { Terminal } from './verbs/terminal.ts';

/**
 * A verb as a program of its own, which starts faster than all verbs together.
 * @returns takes the arguments after the verb, gives the exit status
 */
export const loneVerb =
  (verb: VerbName, runner: (args: string[], terminal: Terminal) => Promise<number>) =>
  async (args: readonly string[]): Promise<number> => {
    watchOutput();
    if (args.length === 1 && (args[0] === '--help' || args[0] === '-h')) {
      await TERMINAL.print(verbHelp(verb));
      return EXIT.OK;
    }
    try {
      return await runner([...args], TERMINAL);
    } catch (error) {
      return report(error);
    }
  };
