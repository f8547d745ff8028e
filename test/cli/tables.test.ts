import { expect, test } from 'vitest';
import { COMMANDS, type CommandName, commandSpec } from '../../src/cli/commands.ts';
import { VALUE_READERS } from '../../src/cli/option-values.ts';
import { OPTION_NAMES, OPTIONS, type OptionSpec } from '../../src/cli/options.ts';
import { helpText } from '../../src/cli/usage.ts';
import { InProcess } from './in-process.ts';

const COMMAND_NAMES = Object.keys(COMMANDS) as CommandName[];
const SPECS: readonly OptionSpec[] = OPTIONS;

/** An argument that each option accepts, where it takes one. */
const ARGUMENTS: Readonly<Record<string, string>> = {
  'tcp-service': '10.0.0.1:80',
  'udp-service': '10.0.0.1:53',
  'sctp-service': '10.0.0.1:9899',
  'fwmark-service': '1',
  scheduler: 'rr',
  pe: 'sip',
  persistent: '60',
  netmask: '255.255.255.0',
  'real-server': '192.168.0.1',
  'tun-type': 'ipip',
  'tun-port': '6080',
  weight: '1',
  'u-threshold': '1',
  'l-threshold': '1',
  'sched-flags': 'flag-1',
  syncid: '1',
  'sync-maxlen': '1000',
  'mcast-interface': 'lo',
  'mcast-group': '224.0.0.81',
  'mcast-port': '8848',
  'mcast-ttl': '1',
};

test('no two commands or options share a spelling', () => {
  const spellings = [
    ...COMMAND_NAMES.map(commandSpec).flatMap(({ long, short }) => [`--${long}`, ...short]),
    ...SPECS.flatMap(({ long, short }) => [`--${long}`, ...(short ? [short] : [])]),
  ];
  expect(new Set(spellings).size).toBe(spellings.length);
});

test('every option that must have an argument reads it', () => {
  const lacking = OPTIONS.filter(({ argument, long }) => argument === 'required' && !VALUE_READERS[long]);
  expect(lacking).toEqual([]);
});

test('every name that commands are checked for belongs to an option', () => {
  const named = new Set(SPECS.flatMap(({ name }) => (name ? [name] : [])));
  expect([...named].sort()).toEqual([...OPTION_NAMES].sort());
});

test('the help text shows every command but the version, and every option', () => {
  const help = helpText();
  const commands = COMMAND_NAMES.filter((name) => name !== 'version').map(commandSpec);
  for (const { long } of [...commands, ...SPECS])
    expect(help).toMatch(new RegExp(`^  --${long}[| \\n]`, 'm'));
});

const PAIRS = COMMAND_NAMES.filter((name) => name !== 'help' && name !== 'version').flatMap((command) =>
  SPECS.filter(({ name }) => name && !legal(command).includes(name)).map((option) => ({ command, option })),
);

test.each(PAIRS)('$command refuses --$option.long', async ({ command, option }) => {
  const { long, argument } = commandSpec(command);
  const words = [
    `--${long}${argument === 'required' ? '=master' : ''}`,
    ...neededBy(command),
    ...wordsOf(option),
  ];
  const { status, stderr } = await new InProcess().run([
    ...words,
    ...(command === 'set' ? ['1', '2', '3'] : []),
  ]);
  expect(stderr).toBe(`Illegal '${option.name}' option with the '${command}' command\n`);
  expect(status).toBe(2);
});

function legal(command: CommandName): readonly string[] {
  const { needs, allows, exclusive } = commandSpec(command);
  return [...needs, ...allows, ...exclusive];
}

function neededBy(command: CommandName): readonly string[] {
  return commandSpec(command).needs.flatMap((name) => wordsOf(SPECS.find((option) => option.name === name)!));
}

function wordsOf({ long }: OptionSpec): readonly string[] {
  const argument = ARGUMENTS[long];
  return argument === undefined ? [`--${long}`] : [`--${long}=${argument}`];
}
