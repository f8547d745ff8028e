import type { DirectorPort } from '../core/commands.ts';
import { ERRNO, IpvsError } from '../core/errors.ts';
import { readAttributes } from './attributes.ts';
import { controllerFamily } from './controller.ts';
import type { Family, Fill, Operation } from './families.ts';
import { ipvsFamily } from './ipvs-family.ts';
import { uipvsFamily } from './uipvs-family.ts';
import { ERROR_ATTRIBUTE, FLAG, GENL_HEADER_LEN, type Message, readMessages, TYPE } from './wire.ts';
import { ackMessage, doneMessage, MessageWriter, replyHeader } from './writer.ts';

/** Family numbers as the sessions give them out; clients must ask the controller. */
export const IPVS_ID = 28;
export const UIPVS_ID = 29;

/** A datagram of a dump is closed when it holds this many bytes: clients read with buffers of 16 KiB and more. */
const DUMP_DATAGRAM = 8192;

export interface SessionOptions {
  /** Whether 64-bit counters are aligned by padding attributes, as some kernels do. Off by default. */
  readonly pad64?: boolean;
}

/**
 * One client's generic-netlink socket: the families `nlctrl`, `IPVS` and `uipvs` over a director. Replies carry
 * the sequence number and port id of their request.
 */
export class NetlinkSession {
  private readonly families: readonly Family[];
  private readonly pad64: boolean;
  /** Set by HELLO: error replies carry their reason. */
  private explains = false;

  constructor(director: DirectorPort, options: SessionOptions = {}) {
    const hello = (): void => {
      this.explains = true;
    };
    const others = [ipvsFamily(IPVS_ID, director), uipvsFamily(UIPVS_ID, director, hello)];
    this.families = [controllerFamily(others), ...others];
    this.pad64 = options.pad64 ?? false;
  }

  /**
   * Answers the messages of a datagram, each when those before it are answered. The reply datagrams of each are made as they
   * are taken. Nothing throws or rejects; a datagram that holds no message has no answers.
   */
  *answer(datagram: Uint8Array): Generator<Promise<Iterable<Uint8Array>>, void> {
    let last: Promise<unknown> | undefined;
    for (const request of readMessages(datagram)) {
      const answer = last ? last.then(() => this.answerOne(request)) : this.answerOne(request);
      last = answer;
      yield answer;
    }
  }

  private async answerOne(request: Message): Promise<Iterable<Uint8Array>> {
    if (request.type < TYPE.FIRST_FAMILY || !(request.flags & FLAG.REQUEST)) {
      return request.flags & FLAG.ACK ? [ackMessage(request)] : [];
    }
    try {
      return await this.perform(request);
    } catch (error) {
      return [this.errorMessage(request, error)];
    }
  }

  private perform(request: Message): Promise<Iterable<Uint8Array>> {
    const family = this.families.find(({ id }) => id === request.type);
    if (!family) throw new IpvsError('ENOENT', 'there is no such family');
    if (request.payload.length < GENL_HEADER_LEN) throw new IpvsError('EINVAL', 'the message is too short');
    const operation = family.operations.find(({ command }) => command === request.payload[0]);
    const isDump = (request.flags & FLAG.DUMP) === FLAG.DUMP;
    return isDump ? this.dump(request, family, operation) : this.one(request, family, operation);
  }

  private async one(
    request: Message,
    family: Family,
    operation: Operation | undefined,
  ): Promise<Uint8Array[]> {
    if (!operation?.one) throw unsupported();
    const attributes = readAttributes(request.payload.subarray(GENL_HEADER_LEN), family.policy);
    if (typeof attributes === 'string') throw new IpvsError(attributes, 'an attribute is malformed');
    const fill = await operation.one(attributes);
    const replies = fill ? [this.message(request, family, 0, fill)] : [];
    if (request.flags & FLAG.ACK) replies.push(ackMessage(request));
    return replies;
  }

  private async dump(
    request: Message,
    family: Family,
    operation: Operation | undefined,
  ): Promise<Iterable<Uint8Array>> {
    if (!operation?.dump) throw unsupported();
    const attributes = readAttributes(request.payload.subarray(GENL_HEADER_LEN), family.policy);
    const fills = await operation.dump(typeof attributes === 'string' ? undefined : attributes);
    return this.dumpOf(request, family, fills);
  }

  private *dumpOf(request: Message, family: Family, fills: readonly Fill[]): Generator<Uint8Array, void> {
    const header = replyHeader(request, family.id, FLAG.MULTI);
    let writer: MessageWriter | undefined;
    try {
      for (const fill of fills) {
        writer = writer ? writer.next(header) : new MessageWriter(header, this.pad64);
        fill(writer);
        if (writer.lengthBefore > 0 && writer.length > DUMP_DATAGRAM) yield writer.takeBefore();
      }
      if (writer) yield writer.finish();
      yield doneMessage(request);
    } catch (error) {
      yield this.errorMessage(request, error);
    }
  }

  private message(request: Message, family: Family, flags: number, fill: Fill): Uint8Array {
    const writer = new MessageWriter(replyHeader(request, family.id, flags), this.pad64);
    fill(writer);
    return writer.finish();
  }

  /** An error that no rule foresees becomes EIO. */
  private errorMessage(request: Message, error: unknown): Uint8Array {
    const errno = error instanceof IpvsError ? error.errno : 'EIO';
    const reason = error instanceof Error ? error.message : String(error);
    const flags = this.explains ? FLAG.ACK_TLVS : 0;
    const writer = new MessageWriter(replyHeader(request, TYPE.ERROR, flags));
    writer.i32(-ERRNO[errno]).append(request.raw);
    if (this.explains) writer.attrText(ERROR_ATTRIBUTE.MSG, reason.slice(0, 1024));
    return writer.finish();
  }
}

function unsupported(): IpvsError {
  return new IpvsError('EOPNOTSUPP', 'there is no such command');
}
