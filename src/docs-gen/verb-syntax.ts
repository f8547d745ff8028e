import { UNTIL_EOF } from '../control/start.ts';
import { PROC_NAMES } from '../core/commands.ts';
import { SETTINGS } from '../core/settings.ts';
import { VERBS, type Verb, type VerbName, type WordKind } from '../verbs/table.ts';
import type { Argument, Choice, Syntax, VerbSyntax } from './syntax.ts';

/** The verbs in the order of help. */
export const VERB_NAMES = Object.keys(VERBS) as VerbName[];

const HELP_OPTION: Syntax = { spellings: ['-h', '--help'], summary: 'tell what the verb does' };

/** What each kind of words is for a shell. A verb that takes another one's options has none of its own words. */
const WORDS: Readonly<Record<WordKind, VerbSyntax['words']>> = {
  command: 'command',
  'daemon-option': undefined,
  directory: 'directory',
  file: 'file',
  ipvsadm: 'ipvsadm',
  'proc-name': PROC_NAMES,
  setting: Object.keys(SETTINGS).map((name) => `net.ipv4.vs.${name}`),
  verb: VERB_NAMES,
};

export function verbSyntax(name: VerbName): VerbSyntax {
  const verb: Verb = VERBS[name];
  const shown =
    verb.words === 'daemon-option'
      ? [...verb.options, ...VERBS.daemon.options.filter(([option]) => option !== UNTIL_EOF)]
      : verb.options;
  const options = shown.map(([option, summary]) => readOption(option, summary));
  return {
    name,
    summary: verb.summary,
    options: verb.words === 'ipvsadm' ? [] : [...options, HELP_OPTION],
    words: verb.words && WORDS[verb.words],
  };
}

/** Reads an option as the table of verbs has it: `-w, --write`, `--plane auto|none`, `--rules FILE`. */
export function readOption(option: string, summary: string): Syntax {
  const match = /^(-[^ ,]+(?:, -[^ ,]+)*)(?: ([^ ]+))?$/.exec(option);
  if (!match) throw new Error(`the table of verbs has an option of no known form: ${option}`);
  const [, spellings, label] = match;
  return {
    spellings: spellings!.split(', '),
    summary,
    ...(label !== undefined && { argument: readArgument(label) }),
  };
}

function readArgument(label: string): Argument {
  return { label, choice: readChoice(label), optional: false };
}

function readChoice(label: string): Choice {
  if (/^[\w-]+(\|[\w-]+)+$/.test(label)) return label.split('|');
  if (label === 'FILE') return 'file';
  return label === 'DIR' ? 'directory' : 'anything';
}
