import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Bed, BULK_PORT, HTTP_PORT, SERVERS, UDP_PORT, VIP } from './bed.ts';
import { startDirector } from './director.ts';
import { type Running, startListener } from './listener.ts';
import type { LoadName } from './loads.ts';

/** One way of spreading a client's connections over the servers. */
export interface Rival {
  readonly name: string;
  /** What it cannot carry. */
  readonly without?: readonly LoadName[];
  /** Where clients are sent. */
  readonly address: string;
  start(bed: Bed): Promise<Running>;
}

/** No balancing at all: the client speaks to the first server by way of the director's host. */
const routing: Rival = {
  name: 'plain routing, one server',
  address: SERVERS[0],
  start: async () => ({ stop: async () => {} }),
};

const nft = (name: string): Rival => ({
  name,
  address: VIP,
  start: async (bed) => {
    const map = SERVERS.map((server, i) => `${i} : ${server}`).join(', ');
    const spread = `dnat to numgen inc mod ${SERVERS.length} map { ${map} }`;
    const rules = [
      `ip daddr ${VIP} tcp dport ${BULK_PORT} dnat to ${SERVERS[0]}`,
      `ip daddr ${VIP} tcp dport ${HTTP_PORT} ${spread}`,
      `ip daddr ${VIP} udp dport ${UDP_PORT} ${spread}`,
    ];
    const chain = `type nat hook prerouting priority -100; ${rules.join('; ')};`;
    await bed.run('director', ['nft', '-f', '-'], `table ip rival { chain pre { ${chain} }; }`);
    return { stop: async () => void (await bed.run('director', ['nft', 'delete', 'table', 'ip', 'rival'])) };
  },
});

const haproxy: Rival = {
  name: 'haproxy, connections spliced',
  address: VIP,
  without: ['udp'],
  start: async (bed) => {
    const config = join(bed.scratch, 'haproxy.cfg');
    const proxy = (port: number, servers: readonly string[]): string =>
      [
        `listen p${port}`,
        `  bind ${VIP}:${port}`,
        ...servers.map((server, i) => `  server s${i} ${server}:${port}`),
      ].join('\n');
    const settings = [
      'global\n  maxconn 4096\n  nbthread 1',
      'defaults\n  mode tcp\n  balance roundrobin\n  option splice-auto',
      '  timeout connect 5s\n  timeout client 60s\n  timeout server 60s',
    ];
    const proxies = [proxy(HTTP_PORT, SERVERS), proxy(BULK_PORT, SERVERS.slice(0, 1))];
    writeFileSync(config, `${[...settings, ...proxies].join('\n')}\n`);
    return startListener(bed.inside('director', 'haproxy', '-q', '-db', '-f', config), HTTP_PORT);
  },
};

/** A way to run the director; `capture` as the daemon's option takes it. */
export interface Variant {
  readonly io: 'sync' | 'uring';
  readonly capture: string;
}

/** Names a way; what is left to the director is not said. */
export const nameOf = ({ io, capture }: Variant): string =>
  `uipvs --io ${io}${capture === 'auto' ? '' : ` --capture ${capture}`}`;

const uipvs = (variant: Variant): Rival => ({
  name: nameOf(variant),
  address: VIP,
  start: (bed) => startDirector(bed, ['--io', variant.io, '--capture', variant.capture]),
});

/** The measure of all: in every round it is run a second time, which shows how far figures scatter. */
export const MEASURE = 'nft DNAT';
export const MEASURE_AGAIN = 'nft DNAT again';

/** In the order of a round. */
export const rivals = (variants: readonly Variant[]): readonly Rival[] => [
  routing,
  nft(MEASURE),
  ...variants.map(uipvs),
  haproxy,
  nft(MEASURE_AGAIN),
];
