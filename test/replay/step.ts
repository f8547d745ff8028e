import { type Address, ipv4, ipv6 } from '../../src/core/address.ts';
import { PROTOCOL } from '../../src/core/config.ts';
import { SCTP_CHUNK } from '../../src/core/wire/sctp.ts';
import { TCP_FLAG } from '../../src/core/wire/tcp.ts';
import { address } from '../support/core.ts';
import type { Segment } from '../support/core-packets.ts';

export const PROTOCOLS = { tcp: PROTOCOL.TCP, udp: PROTOCOL.UDP, sctp: PROTOCOL.SCTP } as const;

/** One line of a scenario. */
export interface Step {
  readonly verb: string;
  /** The namespace it names, `dir` if it names none. */
  readonly namespace: string;
  /** All that follows the verb. */
  readonly text: string;
  readonly words: readonly string[];
  /** `key=value` words; a word without value has the value ''. */
  readonly options: ReadonlyMap<string, string>;
}

export interface End {
  readonly addr: Address;
  readonly port: number;
}

/** What a step gave, in the recordings' words. */
export interface StepResult {
  readonly servers?: readonly string[];
  readonly result?: string;
  readonly sent?: number;
  readonly status?: number;
  readonly stdout?: string;
  readonly stderr?: string;
  readonly packets?: readonly SniffedPacket[];
  /** UDP payloads in hexadecimal digits. */
  readonly payloads?: readonly string[];
}

export interface SniffedPacket {
  readonly dir: 'in' | 'out';
  /** From the IP header on. */
  readonly hex: string;
}

/** @param line VERB[@NAMESPACE] WORD ...; double quotes hold words together */
export function parseStep(line: string): Step {
  const [head = '', ...words] = (line.match(/(?:[^\s"]|"[^"]*")+/g) ?? []).map((word) =>
    word.replaceAll('"', ''),
  );
  const [verb = '', namespace = 'dir'] = head.split('@');
  const options = new Map(words.map((word): [string, string] => keyAndValue(word)));
  return { verb, namespace, text: line.slice(head.length + 1), words, options };
}

function keyAndValue(word: string): [string, string] {
  const at = word.indexOf('=');
  return at < 0 ? [word, ''] : [word.slice(0, at), word.slice(at + 1)];
}

/** The ends of the connections that a step asks for; without `sport` each has the port that `nextPort` gives. */
export function* pairs(
  options: ReadonlyMap<string, string>,
  nextPort: () => number,
): Generator<{ local: End; remote: End }> {
  const remote = endpoint(options.get('to') ?? '10.0.0.1:80');
  const clients = addresses(options.get('from') ?? (remote.addr.family === 2 ? '10.1.0.1' : 'fd00:1::1'));
  const given = options.get('sport');
  for (let round = 0; round < Number(options.get('n') ?? 1); round++) {
    for (const addr of clients) {
      const port = given ? Number(given) + (options.has('incr') ? round : 0) : nextPort();
      yield { local: { addr, port }, remote };
    }
  }
}

/** The packet of a `raw` step. */
export function rawSegment(flags: string, options: ReadonlyMap<string, string>): Segment {
  const from = endpoint(options.get('from')!);
  const to = endpoint(options.get('to')!);
  const protocol = PROTOCOLS[(options.get('proto') ?? 'tcp') as keyof typeof PROTOCOLS];
  const isSctp = protocol === PROTOCOL.SCTP;
  return {
    protocol,
    src: from.addr,
    sport: from.port,
    dst: to.addr,
    dport: to.port,
    flags: isSctp ? SCTP_CHUNK[flags as keyof typeof SCTP_CHUNK] : tcpFlags(flags),
    payloadLength: isSctp ? 16 : Number(options.get('len') ?? 0),
  };
}

/** The request of a `sip` step. */
export function sipRequest(options: ReadonlyMap<string, string>): string {
  const lines = [
    'INVITE sip:bob@example.test SIP/2.0',
    'Via: SIP/2.0/UDP 10.1.0.1:5060;branch=z9hG4bK1',
    `Call-ID: ${options.get('callid')}`,
    'CSeq: 1 INVITE',
    'Content-Length: 0',
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}

const tcpFlags = (text: string): number =>
  text.split('+').reduce((bits, name) => bits | (TCP_FLAG[name as keyof typeof TCP_FLAG] ?? 0), 0);

function endpoint(text: string): End {
  const at = text.lastIndexOf(':');
  return { addr: address(text.slice(0, at).replace(/[[\]]/g, '')), port: Number(text.slice(at + 1)) };
}

/** A comma list of addresses and ranges `first..last`, which differ in the last word only. */
function addresses(text: string): Address[] {
  return text.split(',').flatMap((part) => {
    const [first, last = first] = part.split('..').map(address) as [Address, Address?];
    const [a, b, c, d] = first.words;
    const isV4 = first.family === 2;
    const count = last.words[isV4 ? 0 : 3] - (isV4 ? a : d) + 1;
    return Array.from({ length: count }, (_, i) => (isV4 ? ipv4(a + i) : ipv6(a, b, c, d + i)));
  });
}
