import { COMMANDS, type CommandName, commandSpec, DAEMON_STATES } from '../cli/commands.ts';
import { TUNNEL_RULES } from '../cli/option-rules.ts';
import { OPTIONS, type OptionName, type OptionSpec } from '../cli/options.ts';
import { FLAG_NAMES } from '../cli/sched-flags.ts';
import { SCHEDULERS } from '../schedulers/registry.ts';
import { COMMAND_WORDS, optionWords } from './ipvsadm-words.ts';
import type { Argument, Choice, CommandSyntax, Syntax } from './syntax.ts';

/** The commands in the order of the help text. */
export const COMMAND_NAMES = Object.keys(COMMANDS) as CommandName[];

const SPECS: readonly OptionSpec[] = OPTIONS;

/** Arguments that have something to offer, by the option's long name. */
const CHOICES: Readonly<Record<string, Choice>> = {
  scheduler: SCHEDULERS.map(({ name }) => name),
  'tun-type': Object.keys(TUNNEL_RULES),
  'sched-flags': FLAG_NAMES.map(({ name }) => name),
  pe: ['sip'],
  'mcast-interface': 'interface',
};

/** Options that ipvsadm takes with every command, by long name: where they are of use. */
const UNCHECKED: Readonly<Record<string, (command: CommandName) => boolean>> = {
  ipv6: (command) => takes(command).includes('service-address'),
  sort: (command) => command === 'list',
};

/** The names of the options that a command needs or may have, those it needs first. */
function takes(command: CommandName): readonly OptionName[] {
  const { needs, allows, exclusive } = commandSpec(command);
  return [...needs, ...exclusive, ...allows];
}

/** Every option under this name. */
export const optionsNamed = (name: OptionName): readonly Syntax[] =>
  SPECS.filter((option) => option.name === name).map(optionSyntax);

/** Every option, in the order of the help text, with its long name. */
export const allOptions = (): readonly (Syntax & { readonly long: string })[] =>
  SPECS.map((option) => ({ ...optionSyntax(option), long: option.long }));

/** A command with the options that it takes, in the order of the help text. */
export function commandSyntax(command: CommandName): CommandSyntax {
  const { long, short } = commandSpec(command);
  const names = takes(command);
  const options = SPECS.filter((option) =>
    option.name ? names.includes(option.name) : UNCHECKED[option.long]?.(command),
  );
  const argument = commandArgument(command);
  return {
    spellings: [...short.map((letter) => `-${letter}`), `--${long}`],
    summary: COMMAND_WORDS[command].summary,
    ...(argument && { argument }),
    options: options.map(optionSyntax),
  };
}

function commandArgument(command: CommandName): Argument | undefined {
  if (commandSpec(command).argument === 'none') return undefined;
  return { label: 'state', choice: Object.keys(DAEMON_STATES), optional: false };
}

function optionSyntax({ long, short, argument, argumentHelp }: OptionSpec): Syntax {
  return {
    spellings: [...(short ? [`-${short}`] : []), `--${long}`],
    summary: optionWords(long).summary,
    ...(argument !== 'none' && {
      argument: {
        label: (argumentHelp ?? 'value').replace(/[[\]]/g, ''),
        choice: CHOICES[long] ?? 'anything',
        optional: argument === 'optional',
      },
    }),
  };
}
