import { type Address, formatAddress, sameAddress } from '../../core/address.ts';
import { PROTOCOL, type ServiceKey } from '../../core/config.ts';
import { PacketView, READING } from '../../core/packet-view.ts';
import { IPV4_FRAGMENT, ipv4Fragment } from '../../core/wire/ipv4.ts';
import { TCP_FLAG, tcpFlags, tcpSequence } from '../../core/wire/tcp.ts';

/** After so many ms of silence a datagram begins a new flow: the director's own UDP timeout. */
const UDP_TIMEOUT_MS = 300_000;
/** Most other destinations that are counted. */
const MOST_OTHERS = 1000;

/** A connection as it was seen. */
export interface SeenFlow {
  readonly client: Address;
  readonly port: number;
  /** On the finder's clock. */
  readonly atMs: number;
  lastMs: number;
  /** Of the SYN. */
  readonly sequence: number;
}

/** Finds where connections to a service begin, and when each was last heard of, either way. */
export class FlowFinder {
  readonly flows: SeenFlow[] = [];
  private readonly to: Pick<ServiceKey, 'protocol' | 'addr' | 'port'>;
  private readonly view = new PacketView();
  private readonly open = new Map<string, SeenFlow>();
  private readonly others = new Map<string, number>();

  /** @param to port 0 is any port */
  constructor(to: Pick<ServiceKey, 'protocol' | 'addr' | 'port'>) {
    this.to = to;
  }

  /** Takes the IP packet at `at`; what is none is no part of a flow. */
  take(bytes: Uint8Array, at: number, end: number, nowMs: number): void {
    const { view, to } = this;
    const reading = view.read(bytes, at, end, true);
    if (reading === READING.MALFORMED || view.protocol !== to.protocol) return;
    if (reading === READING.FRAGMENT && !isFirstV4(view)) return;
    if (view.readTransport() === READING.MALFORMED) return;
    const { src, dst, sport, dport } = view;
    if (sameAddress(dst, to.addr) && (to.port === 0 || dport === to.port)) this.inbound(nowMs);
    else if (sameAddress(src, to.addr) && (to.port === 0 || sport === to.port)) {
      this.heard(keyOf(dst, dport, sport), nowMs);
    } else this.countOther();
  }

  /** @returns the destinations that most connections were to, other than the service, for people; '' for none */
  elsewhere(): string {
    const most = [...this.others].sort(([, a], [, b]) => b - a).slice(0, 3);
    return most.map(([name, count]) => `${name} (${count})`).join(', ');
  }

  private inbound(nowMs: number): void {
    const { view } = this;
    const key = keyOf(view.src, view.sport, view.dport);
    const known = this.open.get(key);
    const isTcp = this.to.protocol === PROTOCOL.TCP;
    const sequence = isTcp ? tcpSequence(view.bytes, view.transport) : 0;
    const begins = isTcp
      ? isSyn(view) && known?.sequence !== sequence
      : known === undefined || nowMs - known.lastMs > UDP_TIMEOUT_MS;
    if (!begins) {
      this.heard(key, nowMs);
      return;
    }
    const { family, words } = view.src;
    const client: Address = { family, words: [words[0], words[1], words[2], words[3]] };
    const flow = { client, port: view.sport, atMs: nowMs, lastMs: nowMs, sequence };
    this.open.set(key, flow);
    this.flows.push(flow);
  }

  private heard(key: string, nowMs: number): void {
    const flow = this.open.get(key);
    if (flow) flow.lastMs = Math.max(flow.lastMs, nowMs);
  }

  private countOther(): void {
    const { view, others } = this;
    if (this.to.protocol === PROTOCOL.TCP && !isSyn(view)) return;
    const name = `${formatAddress(view.dst)} port ${view.dport}`;
    const count = others.get(name) ?? 0;
    if (count > 0 || others.size < MOST_OTHERS) others.set(name, count + 1);
  }
}

function isSyn(view: PacketView): boolean {
  return (tcpFlags(view.bytes, view.transport) & (TCP_FLAG.SYN | TCP_FLAG.ACK)) === TCP_FLAG.SYN;
}

/** The first fragment has the ports. */
const isFirstV4 = (view: PacketView): boolean =>
  !view.isV6 && (ipv4Fragment(view.bytes, view.at) & IPV4_FRAGMENT.OFFSET) === 0;

const keyOf = ({ words }: { readonly words: readonly number[] }, client: number, service: number): string =>
  `${words.join()},${client},${service}`;
