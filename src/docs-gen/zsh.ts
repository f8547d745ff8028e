import { COMMAND_NAMES, commandSyntax } from './ipvsadm-syntax.ts';
import { type Choice, type CommandSyntax, isShort, type Syntax, type VerbSyntax } from './syntax.ts';
import { VERB_NAMES, verbSyntax } from './verb-syntax.ts';

/** completions/_uipvs */
export function zshCompletions(): string {
  const lines = [
    '#compdef uipvs ipvsadm uipvsadm',
    "# Completions of zsh for uipvs, ipvsadm and uipvsadm. Made by 'npm run docs' from the program's tables.",
    '',
    ...ipvsadmFunction(),
    '',
    ...verbFunction(),
    '',
    'if [[ $service == uipvs ]]; then',
    '  _uipvs_verb',
    'else',
    '  _uipvs_ipvsadm',
    'fi',
    '',
  ];
  return lines.join('\n');
}

function ipvsadmFunction(): string[] {
  const commands = COMMAND_NAMES.map(commandSyntax);
  return [
    '# Completes what follows the first word. The command comes first and decides which options there are.',
    '_uipvs_ipvsadm() {',
    '  if (( CURRENT == 2 )); then',
    '    local -a commands=(',
    ...commands.flatMap(({ spellings, summary }) =>
      spellings.map((spelling) => `      ${described(spelling, summary)}`),
    ),
    '    )',
    "    _describe -o 'command' commands",
    '    return',
    '  fi',
    '  local command=$words[2]',
    '  shift words',
    '  (( CURRENT-- ))',
    '  case $command in',
    ...commands.flatMap(commandArm),
    '  esac',
    '}',
  ];
}

function commandArm({ spellings, options, argument }: CommandSyntax): string[] {
  if (options.length === 0 && !argument) return [];
  const patterns = spellings.map((spelling) => (isShort(spelling) ? `${spelling}*` : spelling));
  const first = argument ? [quoted(`1:${escaped(argument.label)}:${action(argument.choice)}`)] : [];
  return [
    `    (${patterns.join('|')})`,
    ...argumentsCall([...options.map(optionSpec), ...first]),
    '      ;;',
  ];
}

function verbFunction(): string[] {
  const verbs = VERB_NAMES.map(verbSyntax);
  return [
    '_uipvs_verb() {',
    '  if (( CURRENT == 2 )); then',
    '    local -a verbs=(',
    ...verbs.map(({ name, summary }) => `      ${described(name, summary)}`),
    '    )',
    "    _describe 'verb' verbs",
    '    return',
    '  fi',
    '  local verb=$words[2]',
    '  shift words',
    '  (( CURRENT-- ))',
    '  case $verb in',
    ...verbs.flatMap((verb) => [`    ${verb.name})`, ...verbBody(verb), '      ;;']),
    '  esac',
    '}',
  ];
}

function verbBody({ options, words }: VerbSyntax): string[] {
  if (words === 'ipvsadm') return ['      _uipvs_ipvsadm'];
  const rest = words === undefined ? [] : [quoted(`*:word:${action(words)}`)];
  return argumentsCall([...options.map(optionSpec), ...rest]);
}

function argumentsCall(specs: readonly string[]): string[] {
  return [
    '      _arguments -s : \\',
    ...specs.map((spec, i) => `        ${spec}${i < specs.length - 1 ? ' \\' : ''}`),
  ];
}

/** An option for _arguments: once, its spellings together. */
function optionSpec({ spellings, summary, argument }: Syntax): string {
  const forms = spellings.map((spelling) =>
    argument ? `${spelling}${isShort(spelling) ? '+' : '='}` : spelling,
  );
  const colons = argument?.optional ? '::' : ':';
  const value = argument ? `${colons}${escaped(argument.label)}:${action(argument.choice)}` : '';
  const text = `[${escaped(summary)}]${value}`;
  if (spellings.length === 1) return quoted(`${forms[0]}${text}`);
  return `${quoted(`(${spellings.join(' ')})`)}{${forms.join(',')}}${quoted(text)}`;
}

function action(choice: Choice): string {
  if (typeof choice !== 'string') return `(${choice.join(' ')})`;
  switch (choice) {
    case 'anything':
      return ' ';
    case 'command':
      return '_command_names -e';
    case 'directory':
      return '_directories';
    case 'file':
      return '_files';
    case 'interface':
      return '_net_interfaces';
  }
}

const described = (word: string, summary: string): string => quoted(`${word}:${summary}`);

const escaped = (text: string): string => text.replace(/[\\:[\]]/g, '\\$&');

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
