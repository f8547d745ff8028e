/** What the words after a verb are, where the completions of shells have something to offer. */
export type WordKind =
  | 'command'
  | 'daemon-option'
  | 'directory'
  | 'file'
  | 'ipvsadm'
  | 'proc-name'
  | 'setting'
  | 'verb';

/** One verb of the program, as help, manual and completions show it. */
export interface Verb {
  /** What follows the verb on the command line. */
  readonly usage: string;
  readonly summary: string;
  /**
   * Option and meaning. The option as people write it: spellings between commas, then the argument, where `a|b` stands
   * for a choice of words, FILE and DIR for paths.
   */
  readonly options: readonly (readonly [string, string])[];
  readonly words?: WordKind;
}

/** The verbs, in the order of help. */
export const VERBS = {
  up: {
    usage: '[DAEMON-OPTION]...',
    summary: 'start a director in the background; nothing to do if one runs',
    options: [],
    words: 'daemon-option',
  },
  down: {
    usage: '[--timeout SEC]',
    summary: 'stop the director and wait until it is gone',
    options: [['--timeout SEC', 'how long to wait, 60 by default']],
  },
  status: {
    usage: '[--json | --footprint]',
    summary: 'show the director, how each service is served, and counters',
    options: [
      ['--json', 'the same for programs'],
      ['--footprint', "what the director has changed in the host's network, one thing a line"],
    ],
  },
  ipvsadm: {
    usage: 'ARGUMENT...',
    summary: 'the command line of ipvsadm',
    options: [],
    words: 'ipvsadm',
  },
  run: {
    usage: '[OPTION]... [--] COMMAND [ARGUMENT]...',
    summary: 'run an unmodified IPVS program, such as ipvsadm or keepalived, against the director',
    options: [
      [
        '--proc off|fopen|all',
        'which opened files are looked at for IPVS texts and settings; fopen by default',
      ],
      ['--wait', 'stay until the last process that the command started has ended'],
      ['--director PATH', "the director's runtime directory or socket"],
      ['--private', 'start a director for this command alone, with empty tables'],
      ['--plane auto|proxy|none', 'what carries traffic of a private director; auto by default'],
    ],
    words: 'command',
  },
  sysctl: {
    usage: '[-n] -a | [-n] [-w] KEY[=VALUE]...',
    summary: 'show and change settings, net.ipv4.vs.*',
    options: [
      ['-a, --all', 'show every setting'],
      ['-n, --values', 'values only'],
      ['-w, --write', 'every argument is KEY=VALUE'],
    ],
    words: 'setting',
  },
  proc: {
    usage: 'NAME',
    summary: 'print a text of /proc/net: ip_vs, ip_vs_conn, ip_vs_stats ...',
    options: [],
    words: 'proc-name',
  },
  daemon: {
    usage: '[OPTION]...',
    summary: 'run a director in the foreground',
    options: [
      [
        '--plane auto|proxy|packet|none',
        'what carries traffic: sockets, packets, or what each service needs; none: tables only',
      ],
      ['--io auto|uring|sync', 'how packets are moved: batches of io_uring, or one system call each'],
      [
        '--capture auto|nft|tcx',
        'how packets are captured: by rules of nft, or past them by a TCX program where it can',
      ],
      ['--pcap FILE', 'record packets and decisions into a pcapng file; FILE[,max=SIZE][,FILTER]'],
      ['--fresh', 'start with empty tables; the recorded ones are kept aside'],
      ['--fsync soon|always', 'changes reach the disk within 20 ms, or before they are acknowledged'],
      ['--drain SEC', 'how long connections may end by themselves at the stop'],
      ['--until-eof', 'stop when standard input ends, as it does when the program at its other end has died'],
      ['--conn-max N', 'size of the connection table'],
      ['--proc-snapshots', 'every 2 s, write files as those of /proc/net below UIPVS_RUNTIME_DIR'],
      [
        '--metrics ADDRESS',
        'serve metrics and health over HTTP on ADDR:PORT, PORT of 127.0.0.1, or unix:PATH',
      ],
      ['--metrics-labels LIST', 'the labels that metrics of services and servers keep, between commas'],
    ],
  },
  'install-links': {
    usage: 'DIR [--remove]',
    summary: 'make ipvsadm, ipvsadm-save and ipvsadm-restore in DIR, as links to this program',
    options: [['--remove', 'remove these links']],
    words: 'directory',
  },
  decap: {
    usage: '--tunnel LIST [OPTION]...',
    summary: 'unwrap packets of tunnels on a real server whose kernel cannot',
    options: [
      ['--tunnel LIST', 'ipip, gue, gue:PORT and gre, joined by commas; port 6080 by default'],
      ['--dev NAME', 'the device through which packets enter the host, decap0 by default'],
      ['--mtu N', "the device's MTU, 1480 by default"],
    ],
  },
  sim: {
    usage: 'RULES WORKLOAD [OPTION]...',
    summary: 'simulate rules against a workload, and compare schedulers',
    options: [
      ['--compare LIST', "schedulers, between commas, in place of the service's own; the first is the base"],
      ['--repeat N', 'replications of each, 5 by default'],
      ['--seed N', 'where random numbers begin, 1 by default'],
      ['--assert CLAIM', 'such as p99<8ms or refused<=1%; status 3 if it does not hold; may be repeated'],
      ['--workers N', 'threads, as many as there are processors by default; results do not depend on them'],
      ['--html FILE', 'write one page with charts too, that needs nothing else'],
      ['--json', 'everything, for programs'],
      ['--csv', 'one line for each scheduler and replication'],
      ['--timing', 'tell on standard error how long an event took'],
    ],
    words: 'file',
  },
  explain: {
    usage: '-t|-u|-f SERVICE --from ADDRESS:PORT [OPTION]...',
    summary: 'say which server a client would get, and why; nothing is changed by it',
    options: [
      ['--rules FILE', 'ask rules, as ipvsadm -S writes them, instead of the director that runs'],
      ['-t, --tcp-service ADDRESS', 'the virtual service, as ADDRESS:PORT'],
      ['-u, --udp-service ADDRESS', 'the virtual service, as ADDRESS:PORT'],
      ['-f, --fwmark-service MARK', 'the virtual service of a firewall mark'],
      ['--from ADDRESS', "the client's address and port"],
      ['--times N', 'so many connections in turn, from ports that count up; 1 by default'],
      ['--without ADDRESS', 'as if this server were not there; may be repeated'],
      ['--json', 'the same for programs'],
    ],
  },
  demo: {
    usage: '',
    summary: 'show a director at work on the loopback interface',
    options: [],
  },
  help: {
    usage: '[VERB]',
    summary: 'show this, or more about one verb',
    options: [],
    words: 'verb',
  },
  version: {
    usage: '',
    summary: 'print the version',
    options: [],
  },
} as const satisfies Record<string, Verb>;

export type VerbName = keyof typeof VERBS;

export function isVerb(name: string): name is VerbName {
  return Object.hasOwn(VERBS, name);
}
