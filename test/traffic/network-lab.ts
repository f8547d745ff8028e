import { closeSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Address, AF_INET } from '../../src/core/address.ts';
import { PROTOCOL } from '../../src/core/config.ts';
import { IPV4_HEADER_LEN } from '../../src/core/wire/ipv4.ts';
import { SCTP_CHUNK_LEN, SCTP_HEADER_LEN, sealSctp } from '../../src/core/wire/sctp.ts';
import type { FileNames } from '../cli/file-names.ts';
import type { Player } from '../replay/scenario.ts';
import { pairs, parseStep, rawSegment, type Step, type StepResult, sipRequest } from '../replay/step.ts';
import { packetOf } from '../support/core-packets.ts';
import { run, until } from '../support/processes.ts';
import { askUdp, type Connection, connectTcp, wordFor } from './clients.ts';
import { RealDirector } from './directors.ts';
import type { Namespace } from './namespace.ts';
import { type Pair, sendDatagram, sendMany } from './open-ends.ts';
import { Accepted, serve } from './real-servers.ts';
import { Sniffers } from './sniffers.ts';
import { connectTo, IPPROTO_RAW, openSocket, SOCK_RAW } from './sockets.ts';
import { closeBoth } from './stream.ts';
import { buildTopology, type Topology } from './topology.ts';
import { openTunnelEnds } from './tunnel-ends.ts';

const SYNC_PORT = 8848;
/** A hand-made packet gets so long to pass. */
const PASS_MS = 10;
const SIP_MS = 50;
/** Linux delays the acknowledgement of what it has received by 40 ms at first. */
const DELAYED_ACK_MS = 50;
const SAY_MS = 1000;

/** All addresses of the director's host; what no service takes was sent to a virtual one. */
const DIRECTOR_PLACES = [
  { address: '0.0.0.0', answersFrom: '10.0.0.1' },
  { address: '::', answersFrom: 'fd00::1' },
];
const SERVED_BY_ALL = ['10.0.0.1', '10.0.0.2', 'fd00::1'];

export interface NetworkLabOptions {
  /** Where directors keep their files. */
  readonly scratch: string;
  /** Of `uipvs daemon`. */
  readonly daemonArgs: readonly string[];
  readonly names: FileNames;
}

/** Plays scenarios with real programs and packets: builds namespaces within that of this process, and leaves them there. */
export class NetworkLab implements Player {
  readonly leavesOut = undefined;
  private readonly options: NetworkLabOptions;
  private readonly accepted = new Accepted();
  private readonly sniffers = new Sniffers();
  private readonly held = new Map<string, Connection>();
  private readonly directors = new Map<string, RealDirector>();
  private topology: Topology | undefined;
  private lastPort = 20_000;

  constructor(options: NetworkLabOptions) {
    this.options = options;
  }

  async play(line: string): Promise<StepResult | undefined> {
    const step = parseStep(line);
    const { namespace, text, words, options } = step;
    switch (step.verb) {
      case 'topo':
        await this.build(step);
        return undefined;
      case 'ipvsadm':
        return this.director(namespace).ipvsadm(words, this.options.names);
      case 'sh':
        return this.shell(namespace, text);
      case 'sysctl':
        return this.sysctl(words[0]!);
      case 'sleep':
        await sleep(Number(words[0]) * 1000);
        return undefined;
      case 'tcp':
        return { servers: await this.tcp(options) };
      case 'udp':
        return { servers: await this.udp(options) };
      case 'blast':
        return { sent: await this.blast(options) };
      case 'sip':
        sendDatagram(this.client, this.firstPair(options), sipRequest(options));
        await sleep(SIP_MS);
        return undefined;
      case 'close':
        return { servers: await this.close(words, options.get('how') ?? 'client') };
      case 'say':
        return { result: await this.say(words[0]!, Number(options.get('size') ?? 100)) };
      case 'raw':
        await this.raw(words[0]!, words[1]!, options);
        return undefined;
      default:
        return this.record(step);
    }
  }

  /** Ends the directors. @throws if one has ended before, or ends badly */
  async stop(): Promise<void> {
    for (const director of this.directors.values()) await director.stop();
  }

  private async record({ verb, words, options }: Step): Promise<StepResult | undefined> {
    const where = this.namespace(words[0]!);
    switch (verb) {
      case 'sniff':
        this.sniffers.sniff(where);
        return undefined;
      case 'sniffed':
        return { packets: await this.sniffers.sniffed(where) };
      case 'capture':
        this.sniffers.capture(where, Number(options.get('port') ?? SYNC_PORT));
        return undefined;
      case 'captured':
        return { payloads: await this.sniffers.captured(where) };
      default:
        throw new Error(`no such step: ${verb}`);
    }
  }

  private async build({ words, options }: Step): Promise<void> {
    if (this.topology !== undefined) throw new Error('a second topology in one scenario');
    const count = (name: string, byDefault: number): number => Number(options.get(name) ?? byDefault);
    const topology = buildTopology(count('rs', 3), count('directors', 1), count('mtu', 1500));
    this.topology = topology;
    for (const [i, server] of topology.servers.entries()) {
      const own = [`10.2.0.${i + 1}`, `fd00:2::${(i + 1).toString(16)}`];
      const places = [...own, ...SERVED_BY_ALL].map((address) => ({ address }));
      serve(server, places, this.accepted);
      if (words.includes('tunnels')) openTunnelEnds(server);
    }
    serve(topology.directors[0]!, DIRECTOR_PLACES, this.accepted);
    const { scratch, daemonArgs } = this.options;
    for (const namespace of topology.directors)
      this.directors.set(namespace.name, await RealDirector.start(namespace, scratch, daemonArgs));
  }

  private get client(): Namespace {
    return this.namespace('cli');
  }

  private namespace(name: string): Namespace {
    const { client, directors = [], servers = [] } = this.topology ?? {};
    const found = [client, ...directors, ...servers].find((each) => each?.name === name);
    if (!found) throw new Error(`no such namespace: ${name}`);
    return found;
  }

  private director(name: string): RealDirector {
    const director = this.directors.get(name);
    if (!director) throw new Error(`no director in ${name}`);
    return director;
  }

  private async shell(name: string, command: string): Promise<StepResult> {
    const director = this.directors.get(name);
    if (director) return director.shell(command);
    const { status, stdout, stderr } = await run(this.namespace(name).command('sh', '-c', command));
    return { status: status ?? -1, stdout, stderr };
  }

  private async sysctl(setting: string): Promise<undefined> {
    const [key = '', value = ''] = setting.split('=');
    await this.director('dir').setSysctl(key.replace('net.ipv4.vs.', ''), value);
  }

  private async tcp(options: ReadonlyMap<string, string>): Promise<string[]> {
    const names: string[] = [];
    const kept: Connection[] = [];
    for (const pair of this.pairs(options)) {
      const connection = await connectTcp(this.client, pair, this.accepted, waitMs(options));
      names.push(typeof connection === 'string' ? connection : connection.name);
      if (typeof connection === 'string') continue;
      if (options.has('hold')) kept.push(connection);
      else await closeBoth(connection.client, connection.server, options.get('close') ?? 'client');
    }
    const hold = options.get('hold');
    const isOne = names.length === 1;
    if (hold) for (const [i, each] of kept.entries()) this.held.set(isOne ? hold : `${hold}${i}`, each);
    return names;
  }

  private async udp(options: ReadonlyMap<string, string>): Promise<string[]> {
    const size = Number(options.get('size') ?? 32);
    const message = (options.get('reply') ?? '32').padStart(4, '0').padEnd(size, 'x');
    const names: string[] = [];
    for (const pair of this.pairs(options))
      names.push(await askUdp(this.client, pair, message, waitMs(options)));
    return names;
  }

  /** These datagrams ask for no answer. Each flock waits for the one before to have left the director, so that no queue overflows. */
  private blast(options: ReadonlyMap<string, string>): Promise<number> {
    const message = 'x'.repeat(Number(options.get('size')));
    const pair = this.firstPair(new Map([['to', options.get('to')!]]));
    const director = this.namespace('dir');
    const before = director.sentBy('eth0');
    const rest = (sent: number): Promise<void> =>
      until('the director passes datagrams on', () => director.sentBy('eth0') >= before + sent);
    return sendMany(this.client, pair, message, Number(options.get('n')), rest);
  }

  private pairs(options: ReadonlyMap<string, string>): Generator<Pair> {
    return pairs(options, () => ++this.lastPort);
  }

  private firstPair(options: ReadonlyMap<string, string>): Pair {
    const [pair] = this.pairs(options);
    return pair!;
  }

  private async close(words: readonly string[], how: string): Promise<string[]> {
    const names = words.filter((word) => !word.includes('='));
    const keys = names[0] === 'all' ? [...this.held.keys()] : names;
    const closed: string[] = [];
    for (const key of keys) {
      const { name, client, server } = this.heldAs(key);
      this.held.delete(key);
      await closeBoth(client, server, how);
      closed.push(name);
    }
    return closed;
  }

  /** The client sends so many bytes, then the server. */
  private async say(key: string, size: number): Promise<string> {
    const { name, client, server } = this.heldAs(key);
    if (server === undefined) throw new Error(`the server of ${key} is not one of ours`);
    if (client.error !== undefined) {
      const error = client.error;
      client.error = 'EPIPE';
      return wordFor(error);
    }
    client.received = 0;
    server.received = 0;
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.socket.write('y'.repeat(size));
      if (await to.until(() => to.received >= size, SAY_MS)) continue;
      return to.error !== undefined ? wordFor(to.error) : to.hasEnded ? 'eof' : 'timeout';
    }
    // The last acknowledgement may be delayed: it belongs to this step.
    await sleep(DELAYED_ACK_MS);
    return name;
  }

  private async raw(side: string, flags: string, options: ReadonlyMap<string, string>): Promise<void> {
    const segment = rawSegment(flags, options);
    const bytes = packetOf(segment);
    if (segment.protocol === PROTOCOL.SCTP) {
      bytes.fill(0, IPV4_HEADER_LEN + SCTP_HEADER_LEN + SCTP_CHUNK_LEN);
      sealSctp(bytes, IPV4_HEADER_LEN, bytes.length - IPV4_HEADER_LEN);
    }
    sendRaw(this.namespace(side === 'c' ? 'cli' : 'rs1'), segment.dst, bytes);
    await sleep(PASS_MS);
  }

  private heldAs(key: string): Connection {
    const connection = this.held.get(key);
    if (!connection) throw new Error(`nothing is held as ${key}`);
    return connection;
  }
}

function sendRaw(namespace: Namespace, to: Address, bytes: Uint8Array): void {
  const fd = namespace.inside(() => openSocket(AF_INET, SOCK_RAW, IPPROTO_RAW));
  const error = connectTo(fd, to, 0);
  if (error !== undefined) throw new Error(`raw packet: ${error}`);
  writeSync(fd, bytes);
  closeSync(fd);
}

const waitMs = (options: ReadonlyMap<string, string>): number => Number(options.get('wait') ?? 1) * 1000;
