import { report, TERMINAL } from './report.ts';
import { verbHelp } from './verbs/help.ts';
import { runRun } from './verbs/run.ts';

/** The verb `run` as a program of its own, which starts faster than all verbs together. @returns the exit status */
export async function run(args: readonly string[]): Promise<number> {
  if (args.length === 1 && (args[0] === '--help' || args[0] === '-h')) {
    await TERMINAL.print(verbHelp('run'));
    return 0;
  }
  try {
    return await runRun(args, TERMINAL);
  } catch (error) {
    return report(error);
  }
}
