import { fileURLToPath } from 'node:url';
import { type Bed, BULK_PORT, HTTP_PORT, UDP_PORT } from './bed.ts';

const FLOOD = fileURLToPath(new URL('./udp-flood.js', import.meta.url));
const CONNECTIONS = 32;

/** What a client does for some seconds. */
export interface Load {
  readonly what: string;
  readonly unit: string;
  /** @returns how much of it went through in a second */
  run(bed: Bed, address: string, seconds: number): Promise<number>;
}

/** wrk on one thread. */
async function requests(bed: Bed, address: string, seconds: number, ...options: string[]): Promise<number> {
  const url = `http://${address}:${HTTP_PORT}/`;
  const wrk = ['wrk', '-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, ...options, url];
  const text = await bed.run('client', wrk);
  const perSecond = /Requests\/sec:\s*([\d.]+)/.exec(text)?.[1];
  if (perSecond === undefined || /Non-2xx/.test(text)) throw new Error(`wrk says: ${text}`);
  return Number(perSecond) / 1000;
}

export const LOADS = {
  udp: {
    what: 'datagrams of 64 bytes, 8 flows',
    unit: 'k/s',
    run: async (bed, address, seconds) => {
      const before = await bed.receivedByServers();
      const flood = [process.execPath, FLOOD, address, String(UDP_PORT), String(seconds)];
      const took = Number(await bed.run('client', flood));
      return ((await bed.receivedByServers()) - before) / took / 1000;
    },
  },
  cps: {
    what: 'connections with one request each, 32 at a time',
    unit: 'k/s',
    run: (bed, address, seconds) => requests(bed, address, seconds, '-H', 'Connection: close'),
  },
  rr: {
    what: 'requests on 32 kept connections',
    unit: 'k/s',
    run: (bed, address, seconds) => requests(bed, address, seconds),
  },
  bulk: {
    what: 'one TCP stream',
    unit: 'Gbit/s',
    run: async (bed, address, seconds) => {
      const iperf3 = [
        'iperf3',
        '--client',
        address,
        '--port',
        String(BULK_PORT),
        '--time',
        String(seconds),
        '--json',
      ];
      const { end } = JSON.parse(await bed.run('client', iperf3));
      return end.sum_received.bits_per_second / 1e9;
    },
  },
} as const satisfies Readonly<Record<string, Load>>;

export type LoadName = keyof typeof LOADS;

export const LOAD_NAMES = Object.keys(LOADS) as readonly LoadName[];
