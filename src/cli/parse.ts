import { buildRequest } from './build-request.ts';
import { COMMANDS, type CommandName, type CommandSpec, commandSpec, DAEMON_STATES } from './commands.ts';
import { Draft } from './draft.ts';
import type { Names } from './names.ts';
import { checkCommandOptions } from './option-rules.ts';
import { type OptionLong, readPersistence, readTimeout, useIpv6, VALUE_READERS } from './option-values.ts';
import { OPTIONS, type OptionSpec } from './options.ts';
import { OptionIndex, OptionReader } from './popt.ts';
import type { Request } from './request.ts';
import { parseSchedFlags } from './sched-flags.ts';
import { EXIT, refuse, tryHelp, UsageError } from './usage-error.ts';

const DEFAULT_SCHEDULER = 'wlc';

type NamedCommand = CommandSpec & { readonly command: CommandName };
type NamedOption = OptionSpec & { readonly long: OptionLong; readonly command?: undefined };
type Word = NamedCommand | NamedOption;

const WORDS = new OptionIndex<Word>([
  ...(Object.keys(COMMANDS) as CommandName[]).map((name) => ({ ...commandSpec(name), command: name })),
  ...OPTIONS,
]);

/**
 * Reads a command line as ipvsadm 1.31 does. The first option must be a command; faults are reported in the order in
 * which that program meets them.
 *
 * @param words without the program's name
 * @param restoring whether the line is one of a restore, where `-R` is refused
 * @throws UsageError
 */
export async function parseArguments(
  words: readonly string[],
  names: Names,
  restoring: boolean,
): Promise<Request> {
  const reader = new OptionReader(words, WORDS);
  const draft = startDraft(reader);
  if (draft.command === 'help' || draft.command === 'version') return { kind: draft.command };
  for (let read = reader.next(); read.kind !== 'end'; read = reader.next()) {
    if (read.kind === 'fault') throw new UsageError(`${read.word}: ${read.reason}`, EXIT.FAILED, false);
    if (read.option.command !== undefined) throw refuse(`invalid option \`${read.word}'`);
    await takeOption(draft, read.option, read.value, names);
  }
  const timeouts = takeWords(draft.command, reader.leftover);
  const schedFlags = draft.given.has('sched-flags')
    ? parseSchedFlags(draft.schedFlagsText, draft.scheduler || DEFAULT_SCHEDULER)
    : 0;
  checkCommandOptions(draft.command, draft.given);
  if (restoring && draft.command === 'restore') throw tryHelp();
  return buildRequest(draft, draft.scheduler || DEFAULT_SCHEDULER, schedFlags, timeouts);
}

function startDraft(reader: OptionReader<Word>): Draft {
  const first = reader.next();
  if (first.kind !== 'option' || first.option.command === undefined) throw tryHelp();
  const draft = new Draft(first.option.command);
  if (draft.command === 'start-daemon') {
    draft.daemonState = daemonState(first.value, 'illegal start-daemon parameter specified');
  }
  if (draft.command === 'stop-daemon') {
    draft.daemonState = daemonState(first.value, 'illegal start_daemon specified');
  }
  return draft;
}

function daemonState(value: string | undefined, fault: string): number {
  if (value === 'master' || value === 'backup') return DAEMON_STATES[value];
  throw refuse(fault);
}

async function takeOption(
  draft: Draft,
  option: NamedOption,
  value: string | undefined,
  names: Names,
): Promise<void> {
  if (option.name) {
    if (draft.given.has(option.name)) throw refuse(`multiple '${option.name}' options specified`);
    draft.given.add(option.name);
  }
  if (option.long === 'ipv6') useIpv6(draft);
  else if (option.long === 'persistent') readPersistence(draft, value);
  else await VALUE_READERS[option.long]?.(draft, value ?? '', names);
}

/** Takes the words that belong to no option: three timeouts for `--set`, none otherwise. */
function takeWords(command: CommandName, words: readonly string[]): readonly number[] {
  const wanted = command === 'set' ? 3 : 0;
  if (words.length < wanted) throw refuse('--set option requires 3 timeout values');
  const timeouts = words.slice(0, wanted).map((word) => readTimeout(word, 0));
  if (words.length > wanted) throw refuse(`unexpected argument ${words[wanted]}`);
  return timeouts;
}
