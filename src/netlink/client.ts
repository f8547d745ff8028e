import type { Command, DirectorPort, Query, QueryResults, Status, TextSlice } from '../core/commands.ts';
import { IpvsError } from '../core/errors.ts';
import { type Attributes, type Policy, readAttributes } from './attributes.ts';
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
  broken,
  readDaemonEntry,
  readDestEntry,
  readReplies,
  readServiceEntry,
  readTimeoutsReply,
} from './replies.ts';
import { PROTOCOL_VERSION, UIPVS_ATTR, UIPVS_COMMAND, UIPVS_FAMILY, UIPVS_POLICY } from './uipvs-abi.ts';
import { FLAG, GENL_HEADER_LEN } from './wire.ts';
import { MessageWriter } from './writer.ts';

/** Sends one request datagram; resolves with all replies, up to and with the one for which `endsExchange` holds. */
export type Exchange = (datagram: Uint8Array) => Promise<readonly Uint8Array[]>;

const NOTHING: Fill = () => {};
const ONE = FLAG.REQUEST | FLAG.ACK;
const LIST = FLAG.REQUEST | FLAG.ACK | FLAG.DUMP;

/** A family as this client speaks it; `id` is the number that the other side gave. */
interface Peer {
  readonly id: number;
  readonly version: number;
  readonly policy: Policy;
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
    { ...IPVS_FAMILY, id: ipvs, policy: COMMAND_POLICY },
    own === undefined ? undefined : { ...UIPVS_FAMILY, id: own, policy: UIPVS_POLICY },
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

  /** @throws IpvsError */
  async request(peer: Peer, command: number, flags: number, fill: Fill): Promise<Attributes[]> {
    this.seq = (this.seq + 1) >>> 0;
    const writer = new MessageWriter({ type: peer.id, flags, seq: this.seq, pid: 0 });
    fill(writer.genl(command, peer.version));
    const replies = readReplies(await this.exchange(writer.finish()), peer.id);
    return replies.map(({ payload }) => {
      const attributes = readAttributes(payload.subarray(GENL_HEADER_LEN), peer.policy);
      if (typeof attributes === 'string') throw broken();
      return attributes;
    });
  }

  async families(): Promise<Map<string, number>> {
    const controller: Peer = { id: CONTROLLER_ID, version: CONTROLLER_VERSION, policy: CONTROLLER_POLICY };
    const replies = await this.request(controller, CONTROLLER_COMMAND.GET_FAMILY, LIST, NOTHING);
    const { FAMILY_NAME, FAMILY_ID } = CONTROLLER_ATTR;
    return new Map(replies.map((reply) => [reply.text(FAMILY_NAME), reply.u16(FAMILY_ID)]));
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
    await this.askOwn(UIPVS_COMMAND.HELLO, ONE, (writer) =>
      writer.attrU32(UIPVS_ATTR.PROTOCOL, PROTOCOL_VERSION),
    );
  }

  async apply(command: Command): Promise<void> {
    if (command.op === 'set-sysctl') {
      await this.askOwn(UIPVS_COMMAND.SET_SYSCTL, ONE, (writer) =>
        writer.attrText(UIPVS_ATTR.NAME, command.name).attrText(UIPVS_ATTR.VALUE, command.value),
      );
      return;
    }
    const [number, fill] = ipvsRequest(command);
    await this.link.request(this.ipvs, number, ONE, fill);
  }

  ask<Q extends Query>(query: Q): Promise<QueryResults[Q['query']]>;
  async ask(query: Query): Promise<QueryResults[Query['query']]> {
    switch (query.query) {
      case 'info':
        return this.info();
      case 'services':
        return (await this.list(COMMAND.GET_SERVICE, NOTHING)).map(readServiceEntry);
      case 'service':
        return readServiceEntry(
          await this.one(COMMAND.GET_SERVICE, (writer) => writeServiceKey(writer, query.service)),
        );
      case 'dests':
        return (await this.list(COMMAND.GET_DEST, (writer) => writeServiceKey(writer, query.service))).map(
          readDestEntry,
        );
      case 'timeouts':
        return readTimeoutsReply(await this.one(COMMAND.GET_CONFIG, NOTHING));
      case 'daemons':
        return (await this.list(COMMAND.GET_DAEMON, NOTHING)).map(readDaemonEntry);
      case 'sysctl':
        return this.sysctl(query.name);
      case 'proc':
        return this.proc(query.name, query.from);
      case 'status':
        return this.status();
    }
  }

  private async info(): Promise<QueryResults['info']> {
    const peer = { ...this.ipvs, policy: INFO_POLICY };
    const reply = only(await this.link.request(peer, COMMAND.GET_INFO, ONE, NOTHING));
    return { version: reply.u32(INFO.VERSION), tableSize: reply.u32(INFO.CONN_TAB_SIZE) };
  }

  private async sysctl(name: string | undefined): Promise<QueryResults['sysctl']> {
    const replies = await this.askOwn(
      UIPVS_COMMAND.GET_SYSCTL,
      name === undefined ? LIST : ONE,
      name === undefined ? NOTHING : (writer) => writer.attrText(UIPVS_ATTR.NAME, name),
    );
    return replies.map((reply) => ({
      name: reply.text(UIPVS_ATTR.NAME),
      value: reply.text(UIPVS_ATTR.VALUE),
    }));
  }

  private async proc(name: string, from: number): Promise<TextSlice> {
    const replies = await this.askOwn(UIPVS_COMMAND.PROC, ONE, (writer) =>
      writer.attrText(UIPVS_ATTR.NAME, name).attrU64(UIPVS_ATTR.FROM, from, 0),
    );
    const reply = only(replies);
    return {
      text: reply.joinedText(UIPVS_ATTR.TEXT),
      next: reply.has(UIPVS_ATTR.NEXT) ? reply.u64(UIPVS_ATTR.NEXT) : -1,
    };
  }

  private async status(): Promise<Status> {
    const reply = only(await this.askOwn(UIPVS_COMMAND.STATUS, ONE, NOTHING));
    try {
      return JSON.parse(reply.joinedText(UIPVS_ATTR.TEXT)) as Status;
    } catch {
      throw broken();
    }
  }

  private async one(command: number, fill: Fill): Promise<Attributes> {
    return only(await this.link.request(this.ipvs, command, ONE, fill));
  }

  private list(command: number, fill: Fill): Promise<Attributes[]> {
    return this.link.request(this.ipvs, command, LIST, fill);
  }

  private async askOwn(command: number, flags: number, fill: Fill): Promise<Attributes[]> {
    if (!this.own) throw new IpvsError('EOPNOTSUPP', 'the other side is no uipvs director');
    return this.link.request(this.own, command, flags, fill);
  }
}

function only(replies: readonly Attributes[]): Attributes {
  const [reply] = replies;
  if (!reply) throw broken();
  return reply;
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
