/** Runs ipvsadm with these words and, for a restore, this standard input. Resolves with the exit status. */
export type RunWords = (words: readonly string[], stdin: string) => Promise<number>;

const WRONG_USE = 1;

/** A line of nothing but options of the shell's echo, which prints none of it. */
const ECHO_OPTIONS = /^-[neE]+$/;

/** What ipvsadm-save(8) prints on standard error for an option that it does not know. */
export const SAVE_HELP = `ipvsadm-save: Script to save the IPVS table to stdout.
   With the -n option, prints out the table in numeric format.
`;

/**
 * Does what ipvsadm-save(8) does: prints all rules, with `-n` in numbers. Words that are no options are ignored.
 *
 * @returns the exit status
 */
export async function runSave(
  args: readonly string[],
  run: RunWords,
  stderr: (text: string) => void,
): Promise<number> {
  if (args.some((arg) => arg.startsWith('-') && arg !== '-n')) {
    stderr(SAVE_HELP);
    return WRONG_USE;
  }
  return run(args.includes('-n') ? ['-S', '-n'] : ['-S'], '');
}

/**
 * Does what ipvsadm-restore(8) does: reads all rules, leaves out lines that begin with `#`, clears the table and adds
 * the rules. The arguments mean nothing to it.
 *
 * @returns the exit status of the restore
 */
export async function runRestore(rules: string, run: RunWords): Promise<number> {
  const kept = rules
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n')
    .replace(/\n+$/, '');
  await run(['-C'], '');
  return run(['-R'], ECHO_OPTIONS.test(kept) ? '' : `${kept}\n`);
}
