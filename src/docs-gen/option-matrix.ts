import { type CommandName, commandSpec } from '../cli/commands.ts';
import { type OptionRules, TUNNEL_RULES } from '../cli/option-rules.ts';
import { OPTION_NAMES, type OptionName } from '../cli/options.ts';
import { COMMAND_NAMES, commandSyntax, optionsNamed } from './ipvsadm-syntax.ts';

/** docs/ipvsadm-options.md */
export function optionMatrix(): string {
  const shown = COMMAND_NAMES.filter((name) => name !== 'help' && name !== 'version');
  const tunnelOptions = OPTION_NAMES.filter((name) =>
    Object.values(TUNNEL_RULES).some((r) => cell(r, name) !== ''),
  );
  return [
    '# Options of ipvsadm by command',
    '',
    "Made by `npm run docs` from the tables that the parser reads; the tests compare it with the real program's",
    'answers.',
    '',
    '`!` the command needs it, `+` it may be given, `1` at most one of these; an empty field is refused.',
    '',
    ...table(shown.map(shortest), shown.map(commandSpec), OPTION_NAMES),
    '',
    'The order of the rows is the order in which ipvsadm checks: the first fault is the one that is told. `-6` and',
    '`--sort` are not checked against the command. `-h` and `-v` end the program whatever follows.',
    '',
    '## Commands',
    '',
    '| command | spellings |',
    '|---|---|',
    ...COMMAND_NAMES.map((name) => `| ${name} | ${spellings(name)} |`),
    '',
    '## Tunnel types',
    '',
    ...table(Object.keys(TUNNEL_RULES), Object.values(TUNNEL_RULES), tunnelOptions),
    '',
  ].join('\n');
}

function table(
  columns: readonly string[],
  rules: readonly OptionRules[],
  names: readonly OptionName[],
): string[] {
  return [
    `| option | spellings | ${columns.map(code).join(' | ')} |`,
    `|---|---|${columns.map(() => ':-:|').join('')}`,
    ...names.map((name) => {
      const words = optionsNamed(name).flatMap((option) => option.spellings);
      return `| ${name} | ${words.map(code).join(' ')} | ${rules.map((rule) => cell(rule, name)).join(' | ')} |`;
    }),
  ];
}

function cell({ needs, allows, exclusive }: OptionRules, name: OptionName): string {
  if (needs.includes(name)) return '!';
  if (exclusive.includes(name)) return '1';
  return allows.includes(name) ? '+' : '';
}

const shortest = (name: CommandName): string => commandSyntax(name).spellings[0]!;

const spellings = (name: CommandName): string => commandSyntax(name).spellings.map(code).join(' ');

const code = (word: string): string => `\`${word}\``;
