import type { Command, DirectorPort, Query, QueryResults, Status, TextSlice } from '../core/commands.ts';
import { IpvsError } from '../core/errors.ts';
import type { ExplainRequest, Explanation } from '../core/explanation.ts';
import type { Attributes } from './attributes.ts';
import {
  CONTROLLER_ATTR,
  CONTROLLER_COMMAND,
  CONTROLLER_ID,
  CONTROLLER_POLICY,
  CONTROLLER_VERSION,
} from './controller.ts';
import {
  writeDaemonConfig,
  writeDaemonState,
  writeDestConfig,
  writeDestKey,
  writeServiceConfig,
  writeServiceKey,
  writeTimeouts,
} from './entries.ts';
import type { Fill } from './families.ts';
import { COMMAND, COMMAND_POLICY, INFO, INFO_POLICY, IPVS_FAMILY } from './ipvs-abi.ts';
import {
  attributesReader,
  broken,
  type ReadReply,
  ReplyReader,
  readDaemonEntry,
  readDestEntry,
  readServiceEntry,
  readTimeoutsReply,
} from './replies.ts';
import { PROTOCOL_VERSION, UIPVS_ATTR, UIPVS_COMMAND, UIPVS_FAMILY, UIPVS_POLICY } from './uipvs-abi.ts';
import { FLAG } from './wire.ts';
import { MessageWriter } from './writer.ts';

/** Sends one request datagram and hands its replies to `take`, until that says that one was the last; then resolves. */
export type Exchange = (datagram: Uint8Array, take: (reply: Uint8Array) => boolean) => Promise<void>;

const NOTHING: Fill = () => {};
const ONE = FLAG.REQUEST | FLAG.ACK;
const LIST = FLAG.REQUEST | FLAG.ACK | FLAG.DUMP;

/** For replies of which nothing but their coming is wanted. */
const IGNORED = (): void => {};

/** What the replies to questions are read by. */
const REPLY = {
  family: attributesReader(CONTROLLER_POLICY, (reply): [string, number] => [
    reply.text(CONTROLLER_ATTR.FAMILY_NAME),
    reply.u16(CONTROLLER_ATTR.FAMILY_ID),
  ]),
  info: attributesReader(INFO_POLICY, (reply) => ({
    version: reply.u32(INFO.VERSION),
    tableSize: reply.u32(INFO.CONN_TAB_SIZE),
  })),
  service: attributesReader(COMMAND_POLICY, readServiceEntry),
  timeouts: attributesReader(COMMAND_POLICY, readTimeoutsReply),
  daemon: attributesReader(COMMAND_POLICY, readDaemonEntry),
  sysctl: attributesReader(UIPVS_POLICY, (reply) => ({
    name: reply.text(UIPVS_ATTR.NAME),
    value: reply.text(UIPVS_ATTR.VALUE),
  })),
  textSlice: attributesReader(UIPVS_POLICY, (reply) => ({
    text: reply.joinedText(UIPVS_ATTR.TEXT),
    next: reply.has(UIPVS_ATTR.NEXT) ? reply.u64(UIPVS_ATTR.NEXT) : -1,
  })),
  status: attributesReader(UIPVS_POLICY, readJson<Status>),
  explanations: attributesReader(UIPVS_POLICY, readJson<readonly Explanation[]>),
} as const;

/** A family as this client speaks it; `id` is the number that the other side gave. */
interface Peer {
  readonly id: number;
  readonly version: number;
}

/**
 * Resolves the families (one exchange), greets a director of ours (one more) and speaks with it; later commands take
 * one exchange each, a long text one for each slice. Also works over a kernel's netlink socket, which has no family
 * `uipvs`: its questions reject with EOPNOTSUPP.
 * @throws IpvsError ENOENT if the other side has no IPVS
 */
export async function connectDirector(exchange: Exchange): Promise<DirectorPort> {
  const link = new Link(exchange);
  const families = await link.families();
  const ipvs = families.get(IPVS_FAMILY.name);
  if (ipvs === undefined) throw new IpvsError('ENOENT', 'there is no IPVS');
  const own = families.get(UIPVS_FAMILY.name);
  const director = new RemoteDirector(
    link,
    { ...IPVS_FAMILY, id: ipvs },
    own === undefined ? undefined : { ...UIPVS_FAMILY, id: own },
  );
  await director.hello();
  return director;
}

/** Numbers the requests and reads their replies. */
class Link {
  private readonly exchange: Exchange;
  private seq = 0;

  constructor(exchange: Exchange) {
    this.exchange = exchange;
  }

  /**
   * @param read makes an answer of a reply
   * @throws IpvsError
   */
  async request<T>(peer: Peer, command: number, flags: number, fill: Fill, read: ReadReply<T>): Promise<T[]> {
    this.seq = (this.seq + 1) >>> 0;
    const writer = new MessageWriter({ type: peer.id, flags, seq: this.seq, pid: 0 });
    fill(writer.genl(command, peer.version));
    const replies = new ReplyReader(peer.id, read);
    await this.exchange(writer.finish(), (datagram) => replies.take(datagram));
    return replies.result();
  }

  async families(): Promise<Map<string, number>> {
    const controller: Peer = { id: CONTROLLER_ID, version: CONTROLLER_VERSION };
    return new Map(
      await this.request(controller, CONTROLLER_COMMAND.GET_FAMILY, LIST, NOTHING, REPLY.family),
    );
  }
}

class RemoteDirector implements DirectorPort {
  private readonly link: Link;
  private readonly ipvs: Peer;
  private readonly own: Peer | undefined;

  constructor(link: Link, ipvs: Peer, own: Peer | undefined) {
    this.link = link;
    this.ipvs = ipvs;
    this.own = own;
  }

  async hello(): Promise<void> {
    if (!this.own) return;
    const fill: Fill = (writer) => writer.attrU32(UIPVS_ATTR.PROTOCOL, PROTOCOL_VERSION);
    await this.askOwn(UIPVS_COMMAND.HELLO, ONE, fill, IGNORED);
  }

  async apply(command: Command): Promise<void> {
    if (command.op === 'set-sysctl') {
      const fill: Fill = (writer) =>
        writer.attrText(UIPVS_ATTR.NAME, command.name).attrText(UIPVS_ATTR.VALUE, command.value);
      await this.askOwn(UIPVS_COMMAND.SET_SYSCTL, ONE, fill, IGNORED);
      return;
    }
    const [number, fill] = ipvsRequest(command);
    await this.link.request(this.ipvs, number, ONE, fill, IGNORED);
  }

  ask<Q extends Query>(query: Q): Promise<QueryResults[Q['query']]>;
  ask(query: Query): Promise<QueryResults[Query['query']]> {
    switch (query.query) {
      case 'info':
        return this.one(COMMAND.GET_INFO, NOTHING, REPLY.info);
      case 'services':
        return this.list(COMMAND.GET_SERVICE, NOTHING, REPLY.service);
      case 'service':
        return this.one(COMMAND.GET_SERVICE, (w) => writeServiceKey(w, query.service), REPLY.service);
      case 'dests':
        return this.list(COMMAND.GET_DEST, (w) => writeServiceKey(w, query.service), readDestEntry);
      case 'timeouts':
        return this.one(COMMAND.GET_CONFIG, NOTHING, REPLY.timeouts);
      case 'daemons':
        return this.list(COMMAND.GET_DAEMON, NOTHING, REPLY.daemon);
      case 'sysctl':
        return this.sysctl(query.name);
      case 'proc':
        return this.proc(query.name, query.from);
      case 'explain':
        return this.explain(query.request);
      case 'status':
        return this.status();
    }
  }

  private async explain(request: ExplainRequest): Promise<readonly Explanation[]> {
    const fill: Fill = (writer) => writer.attrLongText(UIPVS_ATTR.TEXT, JSON.stringify(request));
    return only(await this.askOwn(UIPVS_COMMAND.EXPLAIN, ONE, fill, REPLY.explanations));
  }

  private async sysctl(name: string | undefined): Promise<QueryResults['sysctl']> {
    const fill: Fill = (writer) => void (name !== undefined && writer.attrText(UIPVS_ATTR.NAME, name));
    return this.askOwn(UIPVS_COMMAND.GET_SYSCTL, name === undefined ? LIST : ONE, fill, REPLY.sysctl);
  }

  private async proc(name: string, from: number): Promise<TextSlice> {
    const fill: Fill = (writer) => writer.attrText(UIPVS_ATTR.NAME, name).attrU64(UIPVS_ATTR.FROM, from, 0);
    return only(await this.askOwn(UIPVS_COMMAND.PROC, ONE, fill, REPLY.textSlice));
  }

  private async status(): Promise<Status> {
    return only(await this.askOwn(UIPVS_COMMAND.STATUS, ONE, NOTHING, REPLY.status));
  }

  private async one<T>(command: number, fill: Fill, read: ReadReply<T>): Promise<T> {
    return only(await this.link.request(this.ipvs, command, ONE, fill, read));
  }

  private list<T>(command: number, fill: Fill, read: ReadReply<T>): Promise<T[]> {
    return this.link.request(this.ipvs, command, LIST, fill, read);
  }

  private async askOwn<T>(command: number, flags: number, fill: Fill, read: ReadReply<T>): Promise<T[]> {
    if (!this.own) throw new IpvsError('EOPNOTSUPP', 'the other side is no uipvs director');
    return this.link.request(this.own, command, flags, fill, read);
  }
}

function only<T>([reply]: readonly T[]): T {
  if (reply === undefined) throw broken();
  return reply;
}

function readJson<T>(reply: Attributes): T {
  try {
    return JSON.parse(reply.joinedText(UIPVS_ATTR.TEXT)) as T;
  } catch {
    throw broken();
  }
}

/** @returns the number and attributes of the message that stands for a command. */
function ipvsRequest(command: Exclude<Command, { op: 'set-sysctl' }>): [number, Fill] {
  switch (command.op) {
    case 'add-service':
      return [COMMAND.NEW_SERVICE, (w) => writeServiceConfig(w, command.service, command.flagsMask)];
    case 'edit-service':
      return [COMMAND.SET_SERVICE, (w) => writeServiceConfig(w, command.service, command.flagsMask)];
    case 'delete-service':
      return [COMMAND.DEL_SERVICE, (w) => writeServiceKey(w, command.service)];
    case 'add-dest':
      return [COMMAND.NEW_DEST, serviceAndDest(command)];
    case 'edit-dest':
      return [COMMAND.SET_DEST, serviceAndDest(command)];
    case 'delete-dest':
      return [
        COMMAND.DEL_DEST,
        (w) => {
          writeServiceKey(w, command.service);
          if (command.dest) writeDestKey(w, command.dest);
        },
      ];
    case 'flush':
      return [COMMAND.FLUSH, NOTHING];
    case 'zero':
      return [COMMAND.ZERO, (w) => void (command.service && writeServiceKey(w, command.service))];
    case 'set-timeouts':
      return [COMMAND.SET_CONFIG, (w) => writeTimeouts(w, command.timeouts)];
    case 'start-daemon':
      return [COMMAND.NEW_DAEMON, (w) => writeDaemonConfig(w, command.daemon)];
    case 'stop-daemon':
      return [COMMAND.DEL_DAEMON, (w) => writeDaemonState(w, command.state)];
  }
}

function serviceAndDest(command: Extract<Command, { op: 'add-dest' | 'edit-dest' }>): Fill {
  return (writer) => {
    writeServiceKey(writer, command.service);
    if (command.dest) writeDestConfig(writer, command.dest);
  };
}
