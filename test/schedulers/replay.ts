import { readFileSync } from 'node:fs';
import { type Address, formatAddress, ipv4, ipv6 } from '../../src/core/address.ts';
import { PROTOCOL } from '../../src/core/config.ts';
import type { Director } from '../../src/core/director.ts';
import { type ConnId, DIRECTION, TCP_EVENT } from '../../src/core/flow.ts';
import { describeService } from '../../src/core/service.ts';
import { address, makeDirector, sec } from '../support/core.ts';
import { commandOf } from './replay-commands.ts';

const NOBODY = 'nobody';
const FIRST_PORT = 20_001;
const SEGMENT_BYTES = 60;

/** One line of a golden file. */
interface GoldenRecord {
  readonly t: number;
  readonly argv?: readonly string[];
  readonly sh?: string;
  readonly step?: string;
  readonly servers?: readonly string[];
  readonly stdout?: string;
}

/** What one line says, and what the director does in its place. */
export interface Outcome {
  readonly line: string;
  readonly result: readonly string[];
}

/** @returns the recorded outcomes and the director's, line by line */
export function replay(file: URL): { recorded: Outcome[]; replayed: Outcome[] } {
  const lab = new Lab();
  const recorded: Outcome[] = [];
  const replayed: Outcome[] = [];
  for (const text of readFileSync(file, 'utf8').trim().split('\n')) {
    const record = JSON.parse(text) as GoldenRecord;
    const line = record.step ?? record.sh ?? record.argv?.join(' ') ?? '';
    const result = lab.play(record);
    if (!result) continue;
    replayed.push({ line, result });
    recorded.push({ line, result: record.servers?.map(nameOf) ?? listedDests(record.stdout ?? '') });
  }
  return { recorded, replayed };
}

const nameOf = (server: string): string => (server.startsWith('rs') ? server : NOBODY);

/** Client, director and servers of a scenario. */
class Lab {
  private readonly director: Director = makeDirector();
  private readonly held = new Map<string, ConnId>();
  private readonly marks: { readonly net: number; readonly prefix: number; readonly mark: number }[] = [];
  private nextPort = FIRST_PORT;
  private now = 0;

  /** @returns what is to be compared, or `undefined` if nothing is */
  play(record: GoldenRecord): string[] | undefined {
    this.now = sec(record.t);
    this.director.expire(this.now);
    if (record.argv) return this.ipvsadm(record.argv);
    if (record.sh) return this.shell(record.sh);
    const [verb, ...words] = (record.step ?? '').split(' ');
    if (verb === 'topo') return undefined;
    if (verb === 'close') return this.close(words);
    if (verb === 'tcp' || verb === 'udp') return this.connect(verb, words);
    throw new Error(`unknown step: ${record.step}`);
  }

  private ipvsadm(argv: readonly string[]): string[] | undefined {
    if (argv[1] === '-Lnc') return undefined;
    if (argv[1] === '-Ln') return this.listing();
    this.director.apply(commandOf(argv.slice(1)), this.now);
    return undefined;
  }

  private shell(command: string): undefined {
    const rule = /-d ([\d.]+)\/(\d+) -j MARK --set-mark (\d+)/.exec(command);
    if (rule) {
      this.marks.push({ net: address(rule[1]!).words[0], prefix: Number(rule[2]), mark: Number(rule[3]) });
    }
  }

  private listing(): string[] {
    const lines: string[] = [];
    for (const service of this.director.services()) {
      for (const dest of service.dests) {
        const host = formatAddress(dest.addr);
        const server = `${host.includes(':') ? `[${host}]` : host}:${dest.port}`;
        const name = describeService(service, formatAddress);
        lines.push(`${name} -> ${server} ${dest.weight} ${dest.active} ${dest.inactive}`);
      }
    }
    return lines.sort();
  }

  private connect(verb: 'tcp' | 'udp', words: readonly string[]): string[] {
    const option = new Map(words.map((word) => word.split('=', 2) as [string, string]));
    const { vaddr, vport } = endpoint(option.get('to') ?? '10.0.0.1:80');
    const clients = addresses(option.get('from') ?? (vaddr.family === 2 ? '10.1.0.1' : 'fd00:1::1'));
    const rounds = Number(option.get('n') ?? 1);
    const names: string[] = [];
    for (let round = 0; round < rounds; round++) {
      for (const caddr of clients) {
        const given = option.get('sport');
        const cport = given ? Number(given) + (option.has('incr') ? round : 0) : this.nextPort++;
        const protocol = verb === 'tcp' ? PROTOCOL.TCP : PROTOCOL.UDP;
        const flow = { protocol, caddr, cport, vaddr, vport, fwmark: this.markOf(vaddr) };
        const id = this.director.open(flow, 1, SEGMENT_BYTES, this.now);
        names.push(this.serverName(id));
        if (id < 0) continue;
        if (verb === 'udp') this.event(id, DIRECTION.OUTPUT, 0);
        else
          this.establish(id, option.get('hold'), rounds * clients.length > 1 ? String(names.length - 1) : '');
      }
    }
    return names;
  }

  private establish(id: ConnId, hold: string | undefined, suffix: string): void {
    this.event(id, DIRECTION.OUTPUT, TCP_EVENT.SYN);
    this.event(id, DIRECTION.INPUT, TCP_EVENT.ACK);
    if (hold) this.held.set(hold + suffix, id);
    else this.finish(id);
  }

  private close(names: readonly string[]): string[] {
    return (names[0] === 'all' ? [...this.held.keys()] : names).map((name) => {
      const id = this.held.get(name);
      if (id === undefined) throw new Error(`nothing is held as ${name}`);
      this.held.delete(name);
      this.finish(id);
      return this.serverName(id);
    });
  }

  private finish(id: ConnId): void {
    this.event(id, DIRECTION.INPUT, TCP_EVENT.FIN);
    this.event(id, DIRECTION.OUTPUT, TCP_EVENT.FIN);
    this.event(id, DIRECTION.INPUT, TCP_EVENT.ACK);
  }

  private event(id: ConnId, direction: 0 | 1, event: number): void {
    this.director.segment(id, direction, event, 1, SEGMENT_BYTES, this.now);
  }

  private serverName(id: ConnId): string {
    if (id < 0) return NOBODY;
    const { family, words } = this.director.target(id).daddr;
    return `rs${words[family === 2 ? 0 : 3] & 255}`;
  }

  private markOf(vaddr: Address): number {
    const isIn = (net: number, prefix: number): boolean => (vaddr.words[0] ^ net) >>> (32 - prefix) === 0;
    return this.marks.find(({ net, prefix }) => vaddr.family === 2 && isIn(net, prefix))?.mark ?? 0;
  }
}

/** The servers of an `ipvsadm -Ln` listing with weight and counters, as `listing` has them. */
function listedDests(stdout: string): string[] {
  const lines: string[] = [];
  let service = '';
  for (const line of stdout.split('\n').slice(3)) {
    const words = line.trim().split(/\s+/);
    if (words[0] === '->') lines.push(`${service} -> ${words[1]} ${words.slice(3).join(' ')}`);
    else service = words.slice(0, 2).join(' ');
  }
  return lines.sort();
}

function endpoint(text: string): { vaddr: Address; vport: number } {
  const at = text.lastIndexOf(':');
  return { vaddr: address(text.slice(0, at).replace(/[[\]]/g, '')), vport: Number(text.slice(at + 1)) };
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
