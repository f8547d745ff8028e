import { type Address, formatAddress } from '../../core/address.ts';
import { PROTOCOL, type ServiceKey } from '../../core/config.ts';
import { describeService } from '../../core/service.ts';
import type { TraceRecord } from '../arrivals.ts';
import { CaptureError } from './file.ts';
import { FlowFinder, type SeenFlow } from './flow-finder.ts';
import { ipOffset, UNKNOWN_LINK } from './link.ts';
import { isPcap, readPcap } from './pcap.ts';
import { isPcapng, readPcapng } from './pcapng.ts';

/** Connections of a capture, in order of time. */
export interface CapturedArrivals {
  readonly records: readonly TraceRecord[];
  /** Address by the number of the client. */
  readonly addresses: readonly Address[];
}

/** Whether the file is a capture (pcap or pcapng), by its first bytes. */
export const isCapture = (bytes: Uint8Array): boolean => isPcap(bytes) || isPcapng(bytes);

/**
 * Reads the connections to a service: TCP by their SYNs, UDP by their first datagrams. Time 0 is that of the first packet.
 * @param to TCP or UDP; port 0 is any port
 * @param workIsDuration whether a connection asks for as much work as it lasted, or for what the workload says
 * @returns a line for people if the file is no sound capture, or has no such connection
 */
export function parseCapture(
  bytes: Uint8Array,
  to: ServiceKey,
  workIsDuration: boolean,
): CapturedArrivals | string {
  if (to.protocol !== PROTOCOL.TCP && to.protocol !== PROTOCOL.UDP)
    return 'captures of TCP and UDP can be replayed';
  if (!isCapture(bytes)) return 'expected a capture in pcap or pcapng';
  const finder = new FlowFinder(to);
  const clock = new CaptureClock();
  try {
    const read = isPcap(bytes) ? readPcap : readPcapng;
    read(bytes, (second, ms, link, at, end) => {
      const ip = ipOffset(bytes, link, at, end);
      if (ip === UNKNOWN_LINK) throw new CaptureError(at, `packets of link type ${link} cannot be read`);
      const now = clock.read(second, ms);
      if (ip >= 0) finder.take(bytes, ip, end, now);
    });
  } catch (error) {
    if (error instanceof CaptureError) return error.message;
    throw error;
  }
  if (finder.flows.length > 0) return arrivalsOf(finder.flows, clock.first, workIsDuration);
  const others = finder.elsewhere();
  const hint = others === '' ? '' : `, but to ${others}`;
  return `the capture has no connection to ${describeService(to, formatAddress)}${hint}`;
}

/** Times since the first packet of the file, ms: differences of seconds first, so that no digit is lost. */
class CaptureClock {
  /** The earliest time that was read; packets may be a little out of order. */
  first = Number.POSITIVE_INFINITY;
  private begin: number | undefined;

  read(second: number, ms: number): number {
    this.begin ??= second;
    const now = (second - this.begin) * 1000 + ms;
    if (now < this.first) this.first = now;
    return now;
  }
}

function arrivalsOf(flows: readonly SeenFlow[], first: number, workIsDuration: boolean): CapturedArrivals {
  const numbers = new Map<string, number>();
  const addresses: Address[] = [];
  const numberOf = (client: Address): number => {
    const name = client.words.join();
    const known = numbers.get(name);
    if (known !== undefined) return known;
    numbers.set(name, addresses.length);
    return addresses.push(client) - 1;
  };
  const records = [...flows]
    .sort((a, b) => a.atMs - b.atMs)
    .map(({ client, port, atMs, lastMs }) => ({
      atMs: atMs - first,
      client: numberOf(client),
      port,
      workMs: workIsDuration ? lastMs - atMs : -1,
    }));
  return { records, addresses };
}
