import { type CommandName, commandSpec } from '../cli/commands.ts';
import { TUNNEL_RULES } from '../cli/option-rules.ts';
import type { OptionName } from '../cli/options.ts';
import { FLAG_NAMES } from '../cli/sched-flags.ts';
import { EXIT } from '../cli/usage-error.ts';
import { SCHEDULERS } from '../schedulers/registry.ts';
import { allOptions, COMMAND_NAMES, commandSyntax, optionsNamed } from './ipvsadm-syntax.ts';
import { COMMAND_WORDS, flagWords, optionWords, schedulerWords } from './ipvsadm-words.ts';
import {
  bold,
  entry,
  example,
  filled,
  italic,
  page,
  paragraphs,
  section,
  sentence,
  unbroken,
} from './roff.ts';
import type { Syntax } from './syntax.ts';

/** docs/man/uipvs-ipvsadm.8 */
export function ipvsadmManual(): string {
  return page('uipvs-ipvsadm', 8, [
    ...section('NAME', 'ipvsadm, uipvsadm \\- administer the virtual services of a uipvs director'),
    ...section('SYNOPSIS', ...COMMAND_NAMES.flatMap(synopsis)),
    ...section('DESCRIPTION', ...paragraphs(...DESCRIPTION)),
    ...section('COMMANDS', ...paragraphs(...ON_COMMANDS), ...COMMAND_NAMES.flatMap(commandEntry)),
    ...section('OPTIONS', ...allOptions().flatMap((o) => optionEntry(o, optionWords(o.long).more))),
    ...section('TUNNELS', ...tunnels()),
    ...section('SCHEDULERS', ...schedulers()),
    ...section('EXIT STATUS', ...exitStatuses()),
    ...section('ENVIRONMENT', ...paragraphs('See `uipvs`(8).')),
    ...section('EXAMPLES', ...examples()),
    ...section('SEE ALSO', ...paragraphs('`uipvs`(8)')),
  ]);
}

const DESCRIPTION = [
  'The command line of ipvsadm 1.31 for a director that runs as `uipvs daemon`: the same words, texts and exit ' +
    'statuses, so that scripts and programs that call ipvsadm work as they are. The file docs/compatibility.md of ' +
    'the package lists every difference.',
  'A virtual service is an address that clients use, or a mark that a packet filter gives to packets. The director ' +
    'passes the connections of a service on to its real servers, one of which its scheduler chooses for each new client.',
  'The program is started as `uipvsadm`, as `uipvs ipvsadm`, or as `ipvsadm` where `uipvs install-links` has made a ' +
    'link of that name.',
];

const ON_COMMANDS = [
  'The first word is a command. Options follow in any order, short ones also in one word: `-Ln`. An argument may ' +
    'stand after an equals sign: `--weight=3`.',
];

function synopsis(command: CommandName): string[] {
  const { needs, allows, exclusive } = commandSpec(command);
  const alternatives = exclusive.flatMap((name) => forms(name)).join(' | ');
  const words = [
    invocation(commandSyntax(command)),
    ...(command === 'set' ? TIMEOUTS.map(italic) : []),
    ...needs.map((name) => forms(name).join(' | ')),
    ...(alternatives === '' ? [] : [`[${alternatives}]`]),
    ...allows.map((name) => `[${forms(name).join(' | ')}]`),
  ];
  return ['.PP', ...filled(`${bold('ipvsadm')} ${words.map(unbroken).join(' ')}`)];
}

const TIMEOUTS = ['tcp', 'tcpfin', 'udp'];

/** The options of a name as the synopsis shows them; how a service is given takes a word of its own. */
const forms = (name: OptionName): readonly string[] =>
  name === 'service-address' ? [italic('service')] : optionsNamed(name).map(invocation);

/** The shortest spelling with its argument. */
function invocation({ spellings, argument }: Syntax): string {
  const word = bold(spellings[0]!);
  if (!argument) return word;
  return argument.optional ? `${word} [${italic(argument.label)}]` : `${word} ${argumentText(argument)}`;
}

function argumentText({ label, choice }: NonNullable<Syntax['argument']>): string {
  return label === 'state' && typeof choice !== 'string' ? choice.map(bold).join('|') : italic(label);
}

function commandEntry(command: CommandName): string[] {
  const { summary, more } = COMMAND_WORDS[command];
  return optionEntry({ ...commandSyntax(command), summary }, more);
}

function optionEntry(option: Syntax, more: string | undefined): string[] {
  const { spellings, argument, summary } = option;
  const value = argument && (argument.optional ? `[${italic(argument.label)}]` : argumentText(argument));
  const term = spellings.map(bold).join(', ') + (value ? ` ${value}` : '');
  return entry(term, [sentence(summary), ...(more ? [more] : [])].join(' '));
}

function tunnels(): string[] {
  const intro = 'What a tunnelled server (`-i`) takes depends on its `--tun-type`:';
  const rows = Object.entries(TUNNEL_RULES).flatMap(([type, { needs, exclusive }]) => {
    const parts = [
      ...needs.map((name) => `needs \`--${name}\``),
      ...(exclusive.length > 0 ? [`one of ${exclusive.map((name) => `\`--${name}\``).join(', ')}`] : []),
    ];
    return entry(bold(type), parts.length > 0 ? sentence(parts.join('; ')) : 'No further option.');
  });
  return [...paragraphs(intro), ...rows];
}

function schedulers(): string[] {
  return [
    ...paragraphs('A server of weight 0, or above its upper threshold, is not chosen.'),
    ...SCHEDULERS.flatMap(({ name }) => entry(bold(name), sentence(schedulerWords(name)))),
    ...paragraphs('Flags for `-b`:'),
    ...FLAG_NAMES.flatMap(({ name }) => entry(bold(name), sentence(flagWords(name)))),
  ];
}

function exitStatuses(): string[] {
  const rows: readonly (readonly [number, string])[] = [
    [EXIT.OK, 'Done.'],
    [EXIT.LIST_FAILED, 'A list could not be made.'],
    [EXIT.REFUSED, 'The command line is wrong, or there is no director.'],
    [EXIT.FAILED, 'The director refused the command, or a word of the command line is unknown.'],
  ];
  return rows.flatMap(([status, meaning]) => entry(bold(String(status)), meaning));
}

function examples(): string[] {
  return [
    ...paragraphs('Two web servers behind one address, each client with the same server for ten minutes:'),
    ...example(
      'ipvsadm -A -t 192.0.2.1:80 -s rr -p 600',
      'ipvsadm -a -t 192.0.2.1:80 -r 198.51.100.7:8080 -m',
      'ipvsadm -a -t 192.0.2.1:80 -r 198.51.100.8:8080 -m',
    ),
    ...paragraphs('Take the first one out of service without ending its connections, and look at them:'),
    ...example('ipvsadm -e -t 192.0.2.1:80 -r 198.51.100.7:8080 -m -w 0', 'ipvsadm -L -n -c'),
    ...paragraphs('Keep the rules in a file, and put them back:'),
    ...example('ipvsadm -S -n > rules', 'ipvsadm -C', 'ipvsadm -R < rules'),
  ];
}
