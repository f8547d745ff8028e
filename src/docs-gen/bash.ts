import { COMMAND_NAMES, commandSyntax } from './ipvsadm-syntax.ts';
import { type Choice, isShort, type Syntax, type VerbSyntax } from './syntax.ts';
import { VERB_NAMES, verbSyntax } from './verb-syntax.ts';

const FIRST_WORDS = ['-h', '--help', '-V', '--version'];

const HEAD = `\
# Completions of bash for uipvs, ipvsadm and uipvsadm. Made by 'npm run docs' from the program's tables.
# shellcheck shell=bash

# Finds cur, the word at the cursor, and prev, the one before it. Bash splits words at '='.
__uipvs_words() {
  cur=\${COMP_WORDS[COMP_CWORD]}
  prev=\${COMP_WORDS[COMP_CWORD - 1]}
  if [[ $cur == = ]]; then
    cur=
  elif [[ $prev == = ]]; then
    prev=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
}

# Offers those of the words that begin as cur does.
__uipvs_offer() {
  mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

# Offers what bash itself knows of: files, directories, commands.
__uipvs_offer_names() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen "$1" -- "$cur")
}

# Offers the interfaces of this network namespace.
__uipvs_offer_interfaces() {
  local path names=
  for path in /sys/class/net/*; do names+=" \${path##*/}"; done
  __uipvs_offer "$names"
}
`;

/** completions/uipvs.bash */
export function bashCompletions(): string {
  const functions = [ipvsadmFunction(), verbsFunction()].map((lines) => `${lines.join('\n')}\n`);
  const tail = [
    '_uipvs_as_ipvsadm() {',
    '  local cur prev',
    '  COMPREPLY=()',
    '  __uipvs_words',
    '  __uipvs_ipvsadm 1',
    '}',
    '',
    'complete -F _uipvs uipvs',
    'complete -F _uipvs_as_ipvsadm ipvsadm uipvsadm',
    '',
  ];
  return [HEAD, ...functions, tail.join('\n')].join('\n');
}

function ipvsadmFunction(): string[] {
  const commands = COMMAND_NAMES.map(commandSyntax);
  const options = new Map(
    commands.flatMap((command) => [command, ...command.options]).map((o) => [o.spellings.join(), o]),
  );
  return [
    '# Completes a command line of ipvsadm that begins at the word of that number.',
    '__uipvs_ipvsadm() {',
    '  local first=$1',
    '  if ((COMP_CWORD == first)); then',
    `    __uipvs_offer '${commands.flatMap(({ spellings }) => spellings).join(' ')}'`,
    '    return',
    '  fi',
    ...indented(2, argumentCase([...options.values()])),
    // The command may begin a cluster of short options.
    `  case \${COMP_WORDS[first]} in`,
    ...commands
      .filter((command) => command.options.length > 0)
      .map(({ spellings, options: its }) => {
        const patterns = spellings.map((spelling) => (isShort(spelling) ? `${spelling}*` : spelling));
        return `    ${patterns.join(' | ')}) __uipvs_offer '${allSpellings(its)}' ;;`;
      }),
    '  esac',
    '}',
  ];
}

function verbsFunction(): string[] {
  return [
    '_uipvs() {',
    '  local cur prev',
    '  COMPREPLY=()',
    '  __uipvs_words',
    '  if ((COMP_CWORD == 1)); then',
    `    __uipvs_offer '${[...VERB_NAMES, ...FIRST_WORDS].join(' ')}'`,
    '    return',
    '  fi',
    `  case \${COMP_WORDS[1]} in`,
    ...VERB_NAMES.map(verbSyntax).flatMap((verb) => [
      `    ${verb.name})`,
      ...indented(6, verbBody(verb)),
      '      ;;',
    ]),
    '  esac',
    '}',
  ];
}

function verbBody({ options, words }: VerbSyntax): string[] {
  if (words === 'ipvsadm') return ['__uipvs_ipvsadm 2'];
  const offerOptions = `__uipvs_offer '${allSpellings(options)}'`;
  const head = argumentCase(options);
  if (words === undefined) return [...head, offerOptions];
  return [...head, 'if [[ $cur == -* ]]; then', `  ${offerOptions}`, 'else', `  ${offer(words)}`, 'fi'];
}

/** Where the cursor is in the argument of an option, that argument is completed and nothing else. */
function argumentCase(options: readonly Syntax[]): string[] {
  const withArgument = options.filter(({ argument }) => argument && !argument.optional);
  if (withArgument.length === 0) return [];
  const byOffer = new Map<string, string[]>();
  for (const { spellings, argument } of withArgument) {
    const text = offer(argument!.choice);
    byOffer.set(text, [...(byOffer.get(text) ?? []), ...spellings]);
  }
  return [
    'case $prev in',
    ...[...byOffer].flatMap(([text, spellings]) => [
      `  ${spellings.join(' | ')})`,
      ...(text === '' ? [] : [`    ${text}`]),
      '    return',
      '    ;;',
    ]),
    'esac',
  ];
}

function offer(choice: Choice): string {
  if (typeof choice !== 'string') return `__uipvs_offer '${choice.join(' ')}'`;
  switch (choice) {
    case 'anything':
      return '';
    case 'command':
      return '__uipvs_offer_names -c';
    case 'directory':
      return '__uipvs_offer_names -d';
    case 'file':
      return '__uipvs_offer_names -f';
    case 'interface':
      return '__uipvs_offer_interfaces';
  }
}

const allSpellings = (options: readonly Syntax[]): string =>
  options.flatMap(({ spellings }) => spellings).join(' ');

const indented = (by: number, lines: readonly string[]): string[] =>
  lines.map((line) => ' '.repeat(by) + line);
