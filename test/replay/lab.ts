import type { Address } from '../../src/core/address.ts';
import { type DirectorPort, PROC_NAMES, type Query, type QueryResults } from '../../src/core/commands.ts';
import { PROTOCOL } from '../../src/core/config.ts';
import type { Director } from '../../src/core/director.ts';
import { runWith } from '../cli/in-process.ts';
import { address, makeDirector, sec } from '../support/core.ts';
import { endText, Host, type Socket } from './host.ts';
import { type MarkRule, Network } from './network.ts';
import type { Player } from './scenario.ts';
import { type End, PROTOCOLS, pairs, parseStep, rawSegment, type StepResult, sipRequest } from './step.ts';

/** How long a change or a question takes on the clock of the replay. */
const COMMAND_MS = 50;
const CONNECTION_MS = 2;
/** How long a program waits that closes a connection whose other end is silent. */
const CLOSE_WAIT_MS = 3000;

interface Held {
  readonly name: string;
  readonly client: Socket;
  /** Where the server's end lives. */
  readonly host: Host;
  readonly server: Socket;
}

/** Plays the steps of one scenario on a director of its own. */
export class Lab implements Player {
  /** Packets on a wire, and commands that are not the director's. */
  readonly leavesOut = /^(sniff|sniffed|sh ping|sh@)/;
  readonly director: Director = makeDirector({ connMax: 100_000, host: LAB_HOST });
  private network: Network;
  private hosts: Host[] = [];
  private readonly held = new Map<string, Held>();
  private nextPort = 20_000;

  constructor() {
    this.network = this.build(0);
  }

  /** @returns `undefined` for a step that gives nothing to compare */
  async play(line: string): Promise<StepResult | undefined> {
    const { verb, words, options, text } = parseStep(line);
    switch (verb) {
      case 'topo':
        this.network = this.build(Number(options.get('rs') ?? 3));
        return undefined;
      case 'ipvsadm':
        return this.ipvsadm(words);
      case 'sysctl':
        return this.sysctl(words[0]!);
      case 'sh':
        return this.shell(text);
      case 'sleep':
        this.pass(sec(Number(words[0])));
        return undefined;
      case 'tcp':
        return { servers: this.tcp(options) };
      case 'udp':
        return { servers: this.udp(options) };
      case 'blast':
        return { sent: this.blast(options) };
      case 'sip':
        this.sip(options);
        return undefined;
      case 'close':
        return {
          servers: this.close(
            words.filter((word) => !word.includes('=')),
            options.get('how'),
          ),
        };
      case 'say':
        return { result: this.say(words[0]!, Number(options.get('size') ?? 100)) };
      case 'raw':
        this.raw(words[0]!, words[1]!, options);
        return undefined;
      default:
        throw new Error(`no such step: ${line}`);
    }
  }

  private build(serverCount: number): Network {
    this.hosts = [];
    const network = new Network(this.director, serverCount, (name, send) => {
      const host = new Host(name, send);
      this.hosts.push(host);
      return host;
    });
    return network;
  }

  private get client(): Host {
    return this.hosts[0]!;
  }

  private pass(ms: number): void {
    this.network.now += ms;
    this.director.expire(this.network.now);
  }

  private async ipvsadm(words: readonly string[]): Promise<StepResult> {
    this.pass(COMMAND_MS);
    return runWith(words, () => Promise.resolve(this.port()));
  }

  private port(): DirectorPort {
    const ask = async (query: Query): Promise<QueryResults[Query['query']]> => {
      if (query.query === 'status') throw new Error('the core alone has no status');
      return this.director.ask(query, this.network.now);
    };
    return {
      apply: async (command) => this.director.apply(command, this.network.now),
      ask: ask as DirectorPort['ask'],
    };
  }

  private sysctl(setting: string): undefined {
    const [key, value] = setting.split('=', 2) as [string, string];
    const name = key.replace('net.ipv4.vs.', '');
    this.director.apply({ op: 'set-sysctl', name, value }, this.network.now);
  }

  private shell(command: string): StepResult | undefined {
    const proc = /^cat \/proc\/net\/(\w+)( \| sort| \| head -3)?$/.exec(command);
    const name = PROC_NAMES.find((each) => each === proc?.[1]);
    if (!name) {
      const rule = markRule(command);
      if (rule) this.network.marks.push(rule);
      return undefined;
    }
    const { text } = this.director.ask({ query: 'proc', name, from: 0 }, this.network.now);
    const lines = text.trimEnd().split('\n');
    if (proc?.[2] === ' | sort') lines.sort();
    const shown = proc?.[2] === ' | head -3' ? lines.slice(0, 3) : lines;
    return { status: 0, stdout: `${shown.join('\n')}\n`, stderr: '' };
  }

  private tcp(options: ReadonlyMap<string, string>): string[] {
    const names: string[] = [];
    const kept: Held[] = [];
    for (const { local, remote } of this.pairs(options)) {
      const socket = this.client.connect(local, remote);
      const name = socket.text.trim();
      const host = this.hosts.find((each) => each.name === name);
      const server = host?.accepted.get(endText(local.addr, local.port));
      if (!host || !server) {
        names.push(socket.error ?? 'timeout');
        this.client.forget(socket);
        this.pass(socket.error ? CONNECTION_MS : sec(Number(options.get('wait') ?? 1)));
        continue;
      }
      names.push(name);
      const connection = { name, client: socket, host, server };
      if (options.has('hold')) kept.push(connection);
      else this.finish(connection, options.get('close') ?? 'client');
      this.pass(CONNECTION_MS);
    }
    const hold = options.get('hold');
    const isOne = names.length === 1;
    if (hold) for (const [i, each] of kept.entries()) this.held.set(isOne ? hold : `${hold}${i}`, each);
    return names;
  }

  private udp(options: ReadonlyMap<string, string>): string[] {
    const size = Number(options.get('size') ?? 32);
    const reply = Number(options.get('reply') ?? 32);
    return Array.from(this.pairs(options), ({ local, remote }) => {
      const answer = this.client.datagram(local, remote, size, reply);
      this.pass(answer === undefined ? sec(Number(options.get('wait') ?? 1)) : CONNECTION_MS);
      return answer ?? 'timeout';
    });
  }

  private blast(options: ReadonlyMap<string, string>): number {
    const count = Number(options.get('n'));
    const [pair] = this.pairs(new Map([['to', options.get('to')!]]));
    this.client.blast(pair!.local, pair!.remote, Number(options.get('size')), count);
    return count;
  }

  /** One SIP request, whose answer nobody awaits. */
  private sip(options: ReadonlyMap<string, string>): void {
    const [pair] = this.pairs(options);
    const { local, remote } = pair!;
    this.network.fromClient({
      protocol: PROTOCOL.UDP,
      src: local.addr,
      sport: local.port,
      dst: remote.addr,
      dport: remote.port,
      payload: sipRequest(options),
    });
    this.pass(50);
  }

  private pairs(options: ReadonlyMap<string, string>): Generator<{ local: End; remote: End }> {
    return pairs(options, () => ++this.nextPort);
  }

  private close(names: readonly string[], how = 'client'): string[] {
    const keys = names[0] === 'all' ? [...this.held.keys()] : names;
    return keys.map((key) => {
      const connection = this.heldAs(key);
      this.held.delete(key);
      this.finish(connection, how);
      this.pass(CONNECTION_MS);
      return connection.name;
    });
  }

  private finish({ client, host, server }: Held, how: string): void {
    if (how === 'rst') {
      this.client.reset(client);
      host.forget(server);
      return;
    }
    if (client.isGone || client.error) {
      this.client.forget(client);
      if (!server.isGone) host.shutdown(server);
      return;
    }
    const ends = [
      { host: this.client, socket: client },
      { host, socket: server },
    ];
    const [first, second] = how === 'client' ? ends : ends.reverse();
    first!.host.shutdown(first!.socket);
    if (!second!.socket.gotFin && !second!.socket.isGone) this.pass(CLOSE_WAIT_MS);
    if (!second!.socket.isGone) second!.host.shutdown(second!.socket);
  }

  private say(name: string, size: number): string {
    const { name: serverName, client, host, server } = this.heldAs(name);
    if (client.isGone) {
      const error = client.error ?? 'EPIPE';
      client.error = undefined;
      return error;
    }
    server.received = 0;
    client.received = 0;
    this.client.write(client, size);
    if (server.error) return server.error;
    if (server.received >= size) host.write(server, size);
    if (client.received >= size) return serverName;
    this.pass(sec(1));
    return 'timeout';
  }

  private raw(side: string, flags: string, options: ReadonlyMap<string, string>): void {
    const segment = rawSegment(flags, options);
    if (side === 'c') this.network.fromClient(segment);
    else this.network.fromServer(segment);
    this.pass(10);
  }

  private heldAs(name: string): Held {
    const connection = this.held.get(name);
    if (!connection) throw new Error(`nothing is held as ${name}`);
    return connection;
  }
}

/** The recordings' director. */
const LAB_HOST = {
  isLocal: ({ words }: Address) =>
    [0x0a000001, 0x0a0000fe, 0x0a0200fe].includes(words[0]) || words[0] >>> 24 === 127,
  isBroadcast: () => false,
  interfaceMtu: () => 1500,
  multicastProblem: () => undefined,
};

function markRule(command: string): MarkRule | undefined {
  const mark = /--set-mark (\d+)/.exec(command);
  if (!mark) return undefined;
  const [, host = '', prefix = '32'] = /-d ([\d.]+)(?:\/(\d+))?/.exec(command) ?? [];
  const protocol = /-p (tcp|udp)/.exec(command)?.[1] as 'tcp' | 'udp' | undefined;
  const ports = /--dports? ([\d,]+)/.exec(command)?.[1]?.split(',').map(Number) ?? [];
  return {
    net: address(host),
    prefix: Number(prefix),
    protocol: protocol ? PROTOCOLS[protocol] : 0,
    ports,
    mark: Number(mark[1]),
  };
}
