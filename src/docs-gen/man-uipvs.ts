import type { VerbName } from '../verbs/table.ts';
import { VERBS, type Verb } from '../verbs/table.ts';
import {
  bold,
  entry,
  example,
  filled,
  italic,
  marked,
  page,
  paragraphs,
  plain,
  section,
  sentence,
} from './roff.ts';
import { readOption, VERB_NAMES } from './verb-syntax.ts';

/** docs/man/uipvs.8 */
export function uipvsManual(): string {
  return page('uipvs', 8, [
    ...section('NAME', 'uipvs \\- IP virtual server in user space'),
    ...section('SYNOPSIS', ...VERB_NAMES.flatMap((name) => ['.PP', ...filled(call(name))])),
    ...section('DESCRIPTION', ...paragraphs(...DESCRIPTION)),
    ...section('VERBS', ...VERB_NAMES.flatMap(verbEntry)),
    ...section('ENVIRONMENT', ...ENVIRONMENT.flatMap(([name, text]) => entry(bold(name), text))),
    ...section('FILES', ...FILES.flatMap(([name, text]) => entry(italic(name), text))),
    ...section('EXIT STATUS', ...STATUSES.flatMap(([status, text]) => entry(bold(String(status)), text))),
    ...section('EXAMPLES', ...examples()),
    ...section('SEE ALSO', ...paragraphs('`uipvs-ipvsadm`(8)')),
  ]);
}

const DESCRIPTION = [
  'A director passes the connections that clients make to a virtual service on to one of several real servers. ' +
    'Linux does this with IPVS, in the kernel; `uipvs` does it in a process, with the same schedulers, persistence, ' +
    'states and timeouts, on hosts whose kernel has no IPVS and without root.',
  'The verb says what is to be done: run a director, ask it, change it. Virtual services are set up with the command ' +
    'line of ipvsadm, see `uipvs-ipvsadm`(8).',
];

/** What the manual tells beyond the table of verbs. */
const NOTES: Partial<Record<VerbName, string>> = {
  up: 'Takes the options of `daemon`. Its words are appended to the file director.log in the state directory.',
  ipvsadm: 'See `uipvs-ipvsadm`(8).',
  sysctl: 'Keys as sysctl(8) writes them, with dots or slashes.',
  daemon:
    'On the signals TERM and INT it lets connections end for as long as `--drain` says, then stops; a second signal ' +
    'ends it at once. With `--proc-snapshots`, programs that read /proc/net/ip_vs and its likes find them in ' +
    '$UIPVS_RUNTIME_DIR/proc/net; for the node exporter of Prometheus, ' +
    '`--path.procfs=$UIPVS_RUNTIME_DIR/proc --collector.disable-defaults --collector.ipvs`. With `--metrics`, ' +
    'Prometheus finds /metrics there, and probes /healthz and /readyz; `--metrics-labels` keeps some of family, ' +
    'local_address, local_mark, local_port, proto, remote_address and remote_port, and adds up what then has equal ' +
    'labels.',
  'install-links':
    'Existing links of this program are left as they are. If one of the names is taken by anything else, nothing is ' +
    'changed and the status is 1.',
};

const ENVIRONMENT: readonly (readonly [string, string])[] = [
  [
    'UIPVS_RUNTIME_DIR',
    "The directory of the director's socket. If it is set, no other place is looked at. If not: for root " +
      '/run/uipvs, for others $XDG_RUNTIME_DIR/uipvs or a directory of their own in /tmp; who has no director there ' +
      'uses the one in /run/uipvs.',
  ],
  [
    'UIPVS_STATE_DIR',
    'The directory in which accepted changes are recorded. If it is not set: for root /var/lib/uipvs, for others ' +
      '$XDG_STATE_HOME/uipvs or ~/.local/state/uipvs.',
  ],
  ['UIPVS_AUTOSTART', 'With the value 1, ipvsadm starts a director if there is none.'],
  [
    'UIPVS_FFI',
    'The package by which the kernel is called, koffi or ffi-rs, for the packet plane and `run`. If it is not set: koffi, ' +
      'which is faster, where it is installed.',
  ],
];

const FILES: readonly (readonly [string, string])[] = [
  ['$UIPVS_RUNTIME_DIR/netlink.sock', "The director's socket."],
  ['$UIPVS_RUNTIME_DIR/proc/net/ip_vs*', 'Snapshots for other programs, with `--proc-snapshots`.'],
  ['$UIPVS_STATE_DIR/state', 'The accepted changes; a director that starts takes them back.'],
  ['$UIPVS_STATE_DIR/director.log', 'What a director says that `uipvs up` has started.'],
];

const STATUSES: readonly (readonly [number, string])[] = [
  [0, 'Done.'],
  [1, 'It failed, or the director refused it.'],
  [2, 'The command line is wrong, or there is no director.'],
  [70, 'A defect of the program.'],
];

const call = (name: VerbName): string => {
  const { usage }: Verb = VERBS[name];
  return `${bold(`uipvs ${name}`)} ${plain(usage)}`.trimEnd();
};

function verbEntry(name: VerbName): string[] {
  const { summary, options }: Verb = VERBS[name];
  const note = NOTES[name];
  const rows = options.flatMap(([option, meaning]) => [
    '.TP',
    term(option),
    ...filled(plain(sentence(meaning))),
  ]);
  return [
    '.TP',
    call(name),
    ...filled(plain(sentence(summary)) + (note ? ` ${marked(note)}` : '')),
    ...(rows.length > 0 ? ['.RS', ...rows, '.RE'] : []),
  ];
}

function term(option: string): string {
  const { spellings, argument } = readOption(option, '');
  const names = spellings.map(bold).join(', ');
  if (!argument) return names;
  const { choice, label } = argument;
  return `${names} ${typeof choice === 'string' ? italic(label) : choice.map(bold).join('|')}`;
}

function examples(): string[] {
  return [
    ...paragraphs('A director in the background, one service with one server, and the end of it:'),
    ...example(
      'uipvs up',
      'ipvsadm -A -t 127.0.0.1:31555 -s rr',
      'ipvsadm -a -t 127.0.0.1:31555 -r 127.0.0.2:8080 -m',
      'uipvs status',
      'uipvs down',
    ),
    ...paragraphs('Make scripts that call ipvsadm use this program:'),
    ...example('uipvs install-links /usr/local/sbin'),
  ];
}
