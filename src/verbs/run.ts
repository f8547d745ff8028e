import { PROC_MODES } from '../run/filter.ts';
import { runWrapped } from '../run/launch.ts';
import { parseVerbArgs, UsageError } from './arguments.ts';
import type { Terminal } from './terminal.ts';

/** `uipvs run [OPTION]... [--] COMMAND [ARGUMENT]...` */
export async function runRun(args: readonly string[], terminal: Terminal): Promise<number> {
  const { own, command } = splitCommand(args);
  const { values } = parseVerbArgs('run', own, {
    proc: { type: 'string', default: 'fopen' },
    wait: { type: 'boolean', default: false },
    director: { type: 'string' },
    private: { type: 'boolean', default: false },
    plane: { type: 'string' },
  });
  const proc = PROC_MODES.find((mode) => mode === values.proc);
  if (proc === undefined)
    throw new UsageError(`run: --proc takes ${PROC_MODES.join(', ')}, not '${values.proc}'`);
  if (command.length === 0) throw new UsageError("run: a command is missing; see 'uipvs help run'");
  if (values.private && values.director !== undefined) {
    throw new UsageError('run: --private and --director exclude each other');
  }
  if (values.plane !== undefined && !values.private) throw new UsageError('run: --plane needs --private');
  return runWrapped({
    command,
    proc,
    wait: values.wait,
    director: values.director,
    privateDirector: values.private ? ['--plane', values.plane ?? 'auto'] : undefined,
    complain: (line) => terminal.complain(line),
  });
}

/** Options with a value of their own, which is no command. */
const WITH_VALUE = ['--proc', '--director', '--plane'];

/** The command begins after `--`, or with the first word that is no option. */
function splitCommand(args: readonly string[]): { own: string[]; command: string[] } {
  let at = 0;
  while (at < args.length && args[at]!.startsWith('-') && args[at] !== '--') {
    at += WITH_VALUE.includes(args[at]!) ? 2 : 1;
  }
  const own = args.slice(0, at);
  return { own, command: args.slice(args[at] === '--' ? at + 1 : at) };
}
