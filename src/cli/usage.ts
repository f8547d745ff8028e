import { COMMANDS, type CommandName, commandSpec } from './commands.ts';
import { type HelpSection, OPTIONS, type OptionSpec } from './options.ts';

/** Column in which the descriptions of options begin. */
const OPTION_COLUMN = 38;
/** Column in which the descriptions of commands begin. */
const COMMAND_COLUMN = 30;

/** What `-v` prints. */
export const VERSION_TEXT = 'ipvsadm v1.31 2019/12/24 (compiled with popt and IPVS v1.2.1)\n';

/** What `-h` prints, made from the tables of commands and options. */
export function helpText(): string {
  const commands = (Object.keys(COMMANDS) as CommandName[]).map(commandSpec);
  const lines = [
    'Usage:',
    ...commands.filter(({ synopsis }) => synopsis !== '').map(({ synopsis }) => `  ipvsadm ${synopsis}`),
    '',
    'Commands:',
    'Either long or short options are allowed.',
    ...commands.flatMap(({ help }) => (help ? [`  ${help[0]}`.padEnd(COMMAND_COLUMN) + help[1]] : [])),
    '',
    'virtual-service:',
    ...section('service'),
    '',
    'Options:',
    ...section('option'),
    'Daemon Options:',
    ...section('daemon'),
  ];
  return `${VERSION_TEXT}${lines.map((line) => `${line}\n`).join('')}`;
}

function section(name: HelpSection): string[] {
  return OPTIONS.filter((option) => option.section === name).flatMap((option) =>
    option.help.map((text, i) => (i === 0 ? `  ${spelling(option)}` : '').padEnd(OPTION_COLUMN) + text),
  );
}

function spelling({ long, short: letter, hidesShort, argumentHelp, section: part }: OptionSpec): string {
  const short = hidesShort ? undefined : letter;
  if (part === 'daemon') return `--${long} ${argumentHelp}`;
  if (part === 'service') return `${`--${long}${short ? `|-${short}` : ''}`.padEnd(17)} ${argumentHelp}`;
  if (short) return `${`--${long}`.padEnd(15)}-${short}${argumentHelp ? ` ${argumentHelp}` : ''}`;
  return `${`--${long}`.padEnd(15)} ${argumentHelp ?? ''}`;
}
