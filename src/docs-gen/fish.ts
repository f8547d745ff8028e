import { COMMAND_NAMES, commandSyntax } from './ipvsadm-syntax.ts';
import { type Choice, isShort, type Syntax, type VerbSyntax } from './syntax.ts';
import { VERB_NAMES, verbSyntax } from './verb-syntax.ts';

const HEAD = `\
# Completions of fish for uipvs, ipvsadm and uipvsadm. Made by 'npm run docs' from the program's tables.

# Whether the verb is one of the arguments; without any, whether the verb is still missing.
function __uipvs_verb
    set -l words (commandline -opc)
    if not set -q argv[1]
        test (count $words) -eq 1
        return
    end
    contains -- "$words[2]" $argv
end

# Whether the command of ipvsadm matches one of the patterns; without any, whether the command is still missing.
function __uipvs_ipvsadm
    set -l words (commandline -opc)
    if string match -q -r '(^|/)uipvs$' -- $words[1]
        test "$words[2]" = ipvsadm; or return 1
        set -e words[1]
    end
    if not set -q argv[1]
        test (count $words) -eq 1
        return
    end
    for pattern in $argv
        string match -q -- $pattern "$words[2]"; and return 0
    end
    return 1
end

for program in uipvs ipvsadm uipvsadm
    complete -c $program -e
    complete -c $program -f
end
`;

/** completions/uipvs.fish */
export function fishCompletions(): string {
  const verbs = VERB_NAMES.map(verbSyntax);
  const lines = [
    ...verbs.map(({ name, summary }) => `complete -c uipvs -n __uipvs_verb -a ${name} -d ${quoted(summary)}`),
    ...verbs.flatMap(verbLines),
    '',
    'for program in uipvs ipvsadm uipvsadm',
    ...ipvsadmLines().map((line) => `    ${line}`),
    'end',
    '',
  ];
  return `${HEAD}\n${lines.join('\n')}`;
}

function verbLines({ name, options, words }: VerbSyntax): string[] {
  const condition = quoted(`__uipvs_verb ${name}`);
  const own = options.map((option) => `complete -c uipvs -n ${condition} ${optionWords(option)}`);
  if (words === undefined || words === 'ipvsadm') return own;
  return [...own, `complete -c uipvs -n ${condition} ${values(words)}`];
}

function ipvsadmLines(): string[] {
  return COMMAND_NAMES.map(commandSyntax).flatMap((command) => {
    const patterns = command.spellings.map((spelling) => (isShort(spelling) ? `${spelling}*` : spelling));
    const condition = quoted(`__uipvs_ipvsadm ${patterns.map(doubleQuoted).join(' ')}`);
    const { spellings, summary, argument } = command;
    return [
      `complete -c $program -n __uipvs_ipvsadm ${optionWords({ spellings, summary })}`,
      // The command is there already when its argument is completed, so the argument is a word for fish.
      ...(argument ? [`complete -c $program -n ${condition} ${values(argument.choice)}`] : []),
      ...command.options.map((option) => `complete -c $program -n ${condition} ${optionWords(option)}`),
    ];
  });
}

function optionWords({ spellings, summary, argument }: Syntax): string {
  const names = spellings.map((spelling) =>
    isShort(spelling) ? `-s ${spelling.slice(1)}` : `-l ${spelling.slice(2)}`,
  );
  const value = argument && !argument.optional ? [`-r ${values(argument.choice)}`] : [];
  return [...names, ...value, `-d ${quoted(summary)}`].join(' ');
}

function values(choice: Choice): string {
  if (typeof choice !== 'string') return `-f -a ${quoted(choice.join(' '))}`;
  switch (choice) {
    case 'anything':
      return '-f';
    case 'command':
      return "-f -a '(__fish_complete_command)'";
    case 'directory':
      return "-f -a '(__fish_complete_directories)'";
    case 'file':
      return '-F';
    case 'interface':
      return "-f -a '(__fish_print_interfaces)'";
  }
}

const doubleQuoted = (text: string): string => `"${text}"`;

const quoted = (text: string): string => `'${text.replace(/[\\']/g, '\\$&')}'`;
