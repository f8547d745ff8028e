import { execFileSync } from 'node:child_process';
import { Namespace } from './namespace.ts';

/** All namespaces of a scenario, on one bridge. */
export interface Topology {
  readonly client: Namespace;
  /** `dir`, then `dir2` if there is a second one. */
  readonly directors: readonly Namespace[];
  /** `rs1` ... */
  readonly servers: readonly Namespace[];
}

/** Hosts 10.2.1.1 ... at which nobody answers. */
const SILENT_SERVERS = 8;

/** Every refusal is answered, packets come and go by any interface, and addresses can be used at once. */
const SETTINGS: Readonly<Record<string, number>> = {
  'ipv4/icmp_ratemask': 0,
  'ipv6/icmp/ratelimit': 0,
  ...Object.fromEntries(
    ['all', 'default', 'eth0', 'lo'].flatMap((device) => [
      [`ipv4/conf/${device}/rp_filter`, 0],
      [`ipv4/conf/${device}/send_redirects`, 0],
      [`ipv4/conf/${device}/accept_redirects`, 0],
      [`ipv6/conf/${device}/accept_dad`, 0],
      [`ipv6/conf/${device}/dad_transmits`, 0],
      [`ipv6/conf/${device}/accept_redirects`, 0],
    ]),
  ),
};

/** Servers that have the virtual addresses don't tell so on the wire. */
const QUIET_ABOUT_ADDRESSES: Readonly<Record<string, number>> = Object.fromEntries(
  ['all', 'eth0', 'lo'].flatMap((device) => [
    [`ipv4/conf/${device}/arp_ignore`, 1],
    [`ipv4/conf/${device}/arp_announce`, 2],
  ]),
);

/** Builds the recordings' network in the namespace of this process. */
export function buildTopology(serverCount: number, directorCount: number, mtu: number): Topology {
  const numbered = (count: number, name: (number: number) => string): Namespace[] =>
    Array.from({ length: count }, (_, i) => Namespace.make(name(i + 1)));
  const client = Namespace.make('cli');
  const directors = numbered(directorCount, (number) => (number === 1 ? 'dir' : `dir${number}`));
  const servers = numbered(serverCount, (number) => `rs${number}`);
  const all = [client, ...directors, ...servers];
  connect(all, mtu);
  for (const each of all) each.set(SETTINGS);
  configureClient(client);
  const firstServer = linkAddress(1 + directors.length);
  for (const [i, director] of directors.entries()) configureDirector(director, 254 - i, i === 0, firstServer);
  for (const [i, server] of servers.entries()) configureServer(server, i + 1);
  for (const director of directors) meet(director, serverCount);
  return { client, directors, servers };
}

const linkAddress = (index: number): string => `02:00:00:00:00:${(index + 1).toString(16).padStart(2, '0')}`;

function connect(namespaces: readonly Namespace[], mtu: number): void {
  const lines = namespaces.flatMap(({ name }, i) => [
    `link add v-${name} type veth peer name eth0 address ${linkAddress(i)} mtu ${mtu} netns ${name}`,
    `link set v-${name} master br0 mtu ${mtu} up`,
  ]);
  const input = `${['link add br0 type bridge', 'link set br0 up', ...lines].join('\n')}\n`;
  execFileSync('ip', ['-batch', '-'], { input });
}

const UP = ['link set lo up', 'link set eth0 up'];

function configureClient(client: Namespace): void {
  client.ip([
    ...UP,
    'addr add 10.1.0.1/16 dev eth0',
    'addr add fd00:1::1/64 dev eth0 nodad',
    ...['10.1.0.0/16', '10.6.0.0/16', 'fd00:1::/64'].map((net) => `route add local ${net} dev lo`),
    'route add 10.0.0.0/24 dev eth0',
    'route add default via 10.0.0.254',
    'route add fd00::/64 dev eth0',
    'route add default via fd00::fe',
  ]);
  client.set({ 'ipv6/ip_nonlocal_bind': 1 });
}

function configureDirector(director: Namespace, host: number, hasVips: boolean, silent: string): void {
  const host6 = host.toString(16);
  director.ip([
    ...UP,
    ...(hasVips ? ['addr add 10.0.0.1/32 dev eth0', 'addr add fd00::1/128 dev eth0 nodad'] : []),
    `addr add 10.0.0.${host}/24 dev eth0`,
    `addr add 10.2.0.${host}/24 dev eth0`,
    `addr add fd00::${host6}/64 dev eth0 nodad`,
    `addr add fd00:2::${host6}/64 dev eth0 nodad`,
    'route add 10.1.0.0/16 dev eth0',
    'route add fd00:1::1/128 dev eth0',
    'route add fd00:1::/64 via fd00:1::1',
    'route add 10.6.0.0/16 via 10.1.0.1',
    'route add 10.3.0.0/16 via 10.1.0.1',
    'route add 10.2.1.0/24 dev eth0',
    ...Array.from(
      { length: SILENT_SERVERS },
      (_, i) => `neigh replace 10.2.1.${i + 1} lladdr ${silent} dev eth0 nud permanent`,
    ),
  ]);
  director.set({ 'ipv4/ip_forward': 1, 'ipv6/conf/all/forwarding': 1 });
}

/** Answers under a virtual address go straight to the client, others by way of the director. */
function configureServer(server: Namespace, number: number): void {
  server.set(QUIET_ABOUT_ADDRESSES);
  server.ip([
    ...UP,
    `addr add 10.2.0.${number}/24 dev eth0`,
    `addr add fd00:2::${number.toString(16)}/64 dev eth0 nodad`,
    'addr add 10.0.0.1/32 dev lo',
    'addr add 10.0.0.2/32 dev lo',
    'addr add fd00::1/128 dev lo nodad',
    'route add default via 10.2.0.254',
    'route add default via fd00:2::fe',
    'rule add from 10.0.0.0/24 lookup 100',
    'route add 10.1.0.0/16 dev eth0 table 100',
    'route add 10.6.0.0/16 via 10.2.0.254 table 100',
    'route add fd00:1::1/128 dev eth0 table 100',
    'route add fd00:1::/64 via fd00:1::1 dev eth0 onlink table 100',
  ]);
  server.ip(['rule add from fd00::/64 lookup 100'], '-6');
}

/** Neighbours are found beforehand: no packet of the scenario waits for that. */
function meet(director: Namespace, serverCount: number): void {
  const hosts = Array.from({ length: serverCount }, (_, i) => [
    `10.2.0.${i + 1}`,
    `fd00:2::${(i + 1).toString(16)}`,
  ]).flat();
  const pings = ['10.1.0.1', ...hosts].map((host) => `ping -c1 -W1 ${host} >/dev/null &`);
  const [program = '', ...args] = director.command('sh', '-c', `${pings.join(' ')} wait`);
  execFileSync(program, args);
}
