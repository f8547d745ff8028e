import type { CommandName } from '../cli/commands.ts';

/** What the manual and the completions say about a command or an option. */
export interface Words {
  /** A few words, without a full stop; the manual makes a sentence of them. */
  readonly summary: string;
  /** What else the manual tells, as whole sentences; `x` is set in bold, <x> in italics. */
  readonly more?: string;
}

/** Text about an option of ipvsadm. @throws if there is none, so that nothing stays undocumented */
export const optionWords = (long: string): Words => lookUp(OPTION_WORDS, long);

/** What a scheduler goes by. @throws if there is no text */
export const schedulerWords = (name: string): string => lookUp(SCHEDULER_WORDS, name);

/** What a scheduler flag does. @throws if there is no text */
export const flagWords = (name: string): string => lookUp(FLAG_WORDS, name);

function lookUp<T>(words: Readonly<Record<string, T>>, name: string): T {
  const found = words[name];
  if (found === undefined) throw new Error(`src/docs-gen/ipvsadm-words.ts says nothing about ${name}`);
  return found;
}

export const COMMAND_WORDS: Readonly<Record<CommandName, Words>> = {
  'add-service': { summary: 'define a virtual service', more: 'It has no servers yet.' },
  'edit-service': {
    summary: 'change a virtual service',
    more: 'Its servers and connections stay. What is not given gets its default, not its former value.',
  },
  'delete-service': { summary: 'remove a virtual service together with its servers' },
  flush: { summary: 'remove every virtual service' },
  restore: {
    summary: 'read rules from standard input',
    more: 'Each line is a command line of this program without its name, as `-S` prints them. What exists stays.',
  },
  save: { summary: 'print services and servers as lines that restore them' },
  'add-server': { summary: 'give a virtual service one more real server' },
  'edit-server': {
    summary: 'change a real server of a virtual service',
    more: 'What is not given gets its default, not its former value.',
  },
  'delete-server': {
    summary: 'take a real server away from a virtual service',
    more: 'The setting `expire_nodest_conn` tells what becomes of its connections.',
  },
  list: {
    summary: 'show services and servers, or what another option asks for',
    more: 'The program does this as well when it is started without any word.',
  },
  zero: { summary: 'set the counters of one service, or of all, to zero' },
  set: {
    summary: 'set the timeouts, in seconds, of TCP sessions, of TCP sessions after a FIN, and of UDP',
    more: '0 leaves a timeout as it is.',
  },
  'start-daemon': { summary: 'start to send, or to receive, the state of connections' },
  'stop-daemon': { summary: 'stop to send, or to receive, the state of connections' },
  help: { summary: 'show all commands and options in short' },
  version: { summary: 'show the version of ipvsadm that this program behaves as' },
};

/** By long name. */
const OPTION_WORDS: Readonly<Record<string, Words>> = {
  'tcp-service': {
    summary: 'the virtual service at this TCP address',
    more: 'An IPv6 address stands in square brackets. Port 0, or none, takes every port and needs `-p`.',
  },
  'udp-service': { summary: 'the virtual service at this UDP address', more: 'Written as for `-t`.' },
  'sctp-service': { summary: 'the virtual service at this SCTP address', more: 'Written as for `-t`.' },
  'fwmark-service': {
    summary: 'the virtual service for packets with this mark',
    more: 'The mark is a number from 1 to 4294967295 that a packet filter has set.',
  },
  ipv6: { summary: 'the mark is one of IPv6 packets', more: 'Only after `-f`.' },
  scheduler: {
    summary: 'how servers are chosen',
    more: 'See SCHEDULERS; wlc if the option is missing.',
  },
  pe: {
    summary: 'the persistence engine',
    more: 'It finds out what makes two connections belong together; `sip` takes the Call-ID.',
  },
  persistent: {
    summary: 'a client stays with its server for that many seconds after its last connection',
    more: 'From 1 to 2678400 seconds, 360 if no number follows.',
  },
  netmask: {
    summary: 'clients that are alike under this mask count as one',
    more: 'A dotted mask for IPv4, a prefix length for IPv6. By default each address is a client of its own.',
  },
  'real-server': {
    summary: "the real server's address",
    more: 'Without a port it gets that of the service. Only masqueraded servers may have a port of their own.',
  },
  gatewaying: {
    summary: 'direct routing: packets go to the server unchanged',
    more: 'This is the default.',
  },
  ipip: { summary: 'tunnel: packets go to the server inside of others' },
  masquerading: { summary: 'network address translation, both ways' },
  'tun-type': { summary: 'what a tunnelled packet is wrapped in', more: '`ipip` if the option is missing.' },
  'tun-port': { summary: "the tunnel's UDP port at the server", more: 'Needed for `gue`, and only there.' },
  'tun-nocsum': { summary: 'the tunnel computes no checksum' },
  'tun-csum': { summary: 'the tunnel computes a checksum' },
  'tun-remcsum': { summary: 'the inner checksum is computed at the far end', more: 'Only with `gue`.' },
  weight: {
    summary: 'how much the server can bear in comparison with the others',
    more: '1 by default. With 0 it gets no new clients, and those it has stay.',
  },
  'u-threshold': {
    summary: 'the server gets no new connections while it has that many',
    more: '0, the default, is no limit.',
  },
  'l-threshold': {
    summary: 'a full server gets connections again when it has fewer than that',
    more: 'By default three quarters of the upper threshold, which it may not exceed.',
  },
  connection: { summary: 'list connections and persistence templates' },
  timeout: { summary: 'list the timeouts that --set sets' },
  daemon: { summary: 'list the synchronisation daemons' },
  stats: { summary: 'list counters of connections, packets and bytes' },
  rate: { summary: 'list connections, packets and bytes a second' },
  exact: { summary: 'show large numbers in full' },
  thresholds: { summary: "list the servers' thresholds" },
  'persistent-conn': {
    summary: 'list how many templates lead to each server',
    more: "With `-c`, show the persistence engine's data instead.",
  },
  'tun-info': { summary: "list the servers' tunnels" },
  nosort: { summary: 'list in the order of the table instead of a sorted one' },
  sort: { summary: 'has no effect, since lists are sorted anyway' },
  ops: { summary: 'each UDP datagram is scheduled for itself' },
  numeric: { summary: 'show addresses and ports as numbers', more: 'Nothing is looked up then.' },
  'sched-flags': {
    summary: "variants of the scheduler's behaviour, between commas",
    more: 'See SCHEDULERS.',
  },
  syncid: {
    summary: 'number of the group of directors, 0 to 255',
    more: 'A backup accepts messages of its own group; with 0 it accepts all.',
  },
  'sync-maxlen': { summary: 'bytes in the largest message' },
  'mcast-interface': { summary: 'the interface that carries the messages' },
  'mcast-group': { summary: 'the multicast address of the messages' },
  'mcast-port': { summary: 'the UDP port of the messages' },
  'mcast-ttl': { summary: 'how many routers the messages may pass' },
};

/** By name. */
const SCHEDULER_WORDS: Readonly<Record<string, string>> = {
  rr: 'the servers in turn',
  wrr: 'the servers in turn, as often as their weights say',
  lc: 'the server with the fewest connections',
  wlc: 'the server with the fewest connections for its weight',
  lblc: 'one server for each destination address, another one when it is crowded',
  lblcr: 'a few servers for each destination address, as many as its load needs',
  dh: 'by a hash of the destination address',
  sh: "by a hash of the client's address",
  sed: 'the server that would answer first, going by active connections and weight',
  nq: 'an idle server if there is one, else as sed',
  fo: 'the server with the highest weight, while it can be used',
  ovf: 'the server with the highest weight, until its active connections exceed the weight; then the next',
  mh: "by Maglev's hash of the client's address, which moves few clients when servers come and go",
  twos: 'the less loaded one of two servers drawn by lot',
};

/** By name. */
const FLAG_WORDS: Readonly<Record<string, string>> = {
  'sh-fallback': 'if the server cannot be used, another one is found by the hash',
  'sh-port': 'the hash takes the port of the client in',
  'mh-fallback': 'if the server cannot be used, another one is found by the hash',
  'mh-port': 'the hash takes the port of the client in',
  'flag-1': 'the first flag, for schedulers without a name for it',
  'flag-2': 'the second flag, likewise',
  'flag-3': 'the third flag, likewise',
};
