import { type Address, AF_INET6, parseAddress } from '../../../core/address.ts';
import { PROTOCOL } from '../../../core/config.ts';
import { PacketView, READING } from '../../../core/packet-view.ts';

/** Words of the language that name a protocol, with its number. */
const PROTOCOLS: Readonly<Record<string, number>> = {
  tcp: PROTOCOL.TCP,
  udp: PROTOCOL.UDP,
  sctp: PROTOCOL.SCTP,
  icmp: 1,
  icmp6: 58,
};
const WITH_PORTS: ReadonlySet<number> = new Set([PROTOCOL.TCP, PROTOCOL.UDP, PROTOCOL.SCTP]);
const TERMS = 'host ADDRESS, port NUMBER, tcp, udp, sctp, icmp or icmp6';

/** Chooses packets. */
export interface TraceFilter {
  /** @returns whether the packet of `length` bytes at `at` is wanted; what is no IP packet never is */
  matches(bytes: Uint8Array, at: number, length: number): boolean;
}

/**
 * Reads a filter: terms joined by `and`. `host` and `port` look at source and destination; a port is seen in TCP, UDP
 * and SCTP packets and in none of their fragments.
 * @throws RangeError with a line for people
 */
export function parseFilter(text: string): TraceFilter {
  const words = text.split(/\s+/).filter((word) => word !== '');
  const terms: Terms = { hosts: [], ports: [], protocol: undefined };
  for (let i = 0; ; i++) {
    i += readTerm(terms, words[i], words[i + 1]);
    const next = words[i];
    if (next === undefined) break;
    if (next !== 'and') throw new RangeError(`terms are joined by 'and', ${found(next)}`);
  }
  const { hosts, ports, protocol } = terms;
  const number = protocol === undefined ? -1 : PROTOCOLS[protocol]!;
  if (ports.length > 0 && number >= 0 && !WITH_PORTS.has(number)) {
    throw new RangeError(`${protocol} has no ports`);
  }
  return new AllTerms(hosts, ports, number);
}

interface Terms {
  readonly hosts: Address[];
  readonly ports: number[];
  protocol: string | undefined;
}

/** @returns how many words the term has */
function readTerm(terms: Terms, word: string | undefined, argument: string | undefined): number {
  if (word === 'host') {
    terms.hosts.push(readHost(argument));
    return 2;
  }
  if (word === 'port') {
    terms.ports.push(readPort(argument));
    return 2;
  }
  if (word === undefined || !Object.hasOwn(PROTOCOLS, word)) {
    throw new RangeError(`a filter wants ${TERMS}, ${found(word)}`);
  }
  if (terms.protocol !== undefined && terms.protocol !== word) {
    throw new RangeError(`no packet is both ${terms.protocol} and ${word}`);
  }
  terms.protocol = word;
  return 1;
}

/** The packets for which every term holds. */
class AllTerms implements TraceFilter {
  private readonly view = new PacketView();
  private readonly hosts: readonly Address[];
  private readonly ports: readonly number[];
  private readonly protocol: number;

  /** @param protocol -1 for any */
  constructor(hosts: readonly Address[], ports: readonly number[], protocol: number) {
    this.hosts = hosts;
    this.ports = ports;
    this.protocol = protocol;
  }

  matches(bytes: Uint8Array, at: number, length: number): boolean {
    const { view, hosts, ports } = this;
    const reading = view.read(bytes, at, at + length, false);
    if (reading === READING.MALFORMED) return false;
    if (this.protocol >= 0 && view.protocol !== this.protocol) return false;
    for (let i = 0; i < hosts.length; i++) if (!this.isEndpoint(hosts[i]!)) return false;
    if (ports.length === 0) return true;
    if (reading === READING.FRAGMENT || !WITH_PORTS.has(view.protocol)) return false;
    if (view.readTransport() === READING.MALFORMED) return false;
    for (let i = 0; i < ports.length; i++) {
      if (view.sport !== ports[i] && view.dport !== ports[i]) return false;
    }
    return true;
  }

  private isEndpoint(host: Address): boolean {
    const { view } = this;
    if (view.isV6 !== (host.family === AF_INET6)) return false;
    return sameWords(view.src.words, host.words) || sameWords(view.dst.words, host.words);
  }
}

function sameWords(a: Address['words'], b: Address['words']): boolean {
  return a[0] === b[0] && a[1] === b[1] && a[2] === b[2] && a[3] === b[3];
}

function readHost(word: string | undefined): Address {
  const address = word === undefined ? undefined : parseAddress(word);
  if (!address) throw new RangeError(`host wants an IPv4 or IPv6 address, ${found(word)}`);
  return address;
}

function readPort(word: string | undefined): number {
  const port = word !== undefined && /^\d{1,5}$/.test(word) ? Number(word) : Number.NaN;
  if (!(port >= 0 && port <= 65_535)) throw new RangeError(`port wants a number to 65535, ${found(word)}`);
  return port;
}

const found = (word: string | undefined): string => (word === undefined ? 'not its end' : `not '${word}'`);
