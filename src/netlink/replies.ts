import {
  type DaemonConfig,
  type DestEntry,
  SERVICE_FLAG,
  type ServiceEntry,
  type Timeouts,
} from '../core/config.ts';
import { errnoName, IpvsError } from '../core/errors.ts';
import { type Attributes, readAttributes } from './attributes.ts';
import { readDestReply } from './dest-reply.ts';
import { ATTR, DAEMON_POLICY, SERVICE, SERVICE_POLICY } from './ipvs-abi.ts';
import type { Policy } from './policy.ts';
import { daemonConfig, serviceFlags, serviceKey, serviceSettings } from './requests.ts';
import {
  align4,
  ERROR_ATTRIBUTE,
  FLAG,
  GENL_HEADER_LEN,
  HEADER_LEN,
  type Message,
  messageAt,
  messageLength,
  messageType,
  TYPE,
  viewOf,
} from './wire.ts';

const ERROR_POLICY: Policy = { [ERROR_ATTRIBUTE.MSG]: { kind: 'text', max: 65535 } };

/** Bytes of an error's payload before the echoed request. */
const ERRNO_LEN = 4;

/** Makes an answer of a reply's attributes, `source` from `start` to `end`. @throws IpvsError */
export type ReadReply<T> = (source: Uint8Array, start: number, end: number) => T;

/**
 * Reads the replies to one request as they come. The request must ask for an acknowledgement or a dump, as all of
 * `connectDirector` do: these end the exchange.
 */
export class ReplyReader<T> {
  private readonly family: number;
  private readonly read: ReadReply<T>;
  private readonly answers: T[] = [];
  private failure: unknown;
  private isComplete = false;

  /** @param family type of the messages that are answers */
  constructor(family: number, read: ReadReply<T>) {
    this.family = family;
    this.read = read;
  }

  /** Takes the next datagram, and never throws. @returns whether it was the last one */
  take(datagram: Uint8Array): boolean {
    let length = messageLength(datagram, 0);
    for (let at = 0; length > 0; length = messageLength(datagram, at)) {
      const type = messageType(datagram, at);
      if (type === this.family) this.answer(datagram, at, length);
      else if (type === TYPE.DONE || type === TYPE.ERROR) {
        if (type === TYPE.ERROR) this.refuse(messageAt(datagram, at, length));
        this.isComplete = true;
        return true;
      }
      at += align4(length);
    }
    return false;
  }

  /**
   * The answers in their order.
   * @throws IpvsError what the director answered, or EIO if its answer is malformed or cut off
   */
  result(): T[] {
    if (this.failure !== undefined) throw this.failure;
    if (!this.isComplete) throw broken();
    return this.answers;
  }

  private answer(datagram: Uint8Array, at: number, length: number): void {
    if (this.failure !== undefined) return;
    try {
      this.answers.push(this.read(datagram, at + HEADER_LEN + GENL_HEADER_LEN, at + length));
    } catch (error) {
      this.failure = error;
    }
  }

  private refuse(message: Message): void {
    try {
      this.failure ??= readError(message);
    } catch (error) {
      this.failure = error;
    }
  }
}

/** The error for a reply that is not what the protocol says. */
export function broken(): IpvsError {
  return new IpvsError('EIO', "the director's answer is malformed");
}

/** @returns a reader of replies whose attributes follow `policy`. */
export function attributesReader<T>(policy: Policy, read: (reply: Attributes) => T): ReadReply<T> {
  return (source, start, end) => {
    const attributes = readAttributes(source, policy, start, end);
    if (typeof attributes === 'string') throw broken();
    return read(attributes);
  };
}

/** @throws IpvsError for a malformed entry */
export function readServiceEntry(attributes: Attributes): ServiceEntry {
  const inner = within(attributes, ATTR.SERVICE, SERVICE_POLICY);
  const key = serviceKey(inner);
  const settings = serviceSettings(inner, key.family);
  const [flags] = serviceFlags(inner);
  return {
    family: key.family,
    protocol: key.protocol,
    addr: key.addr,
    port: key.port,
    fwmark: key.fwmark,
    scheduler: settings.scheduler,
    pe: settings.pe,
    timeoutSec: settings.timeoutSec,
    netmask: settings.netmask,
    flags: (flags & ~SERVICE_FLAG.HASHED) >>> 0,
    stats: inner.counters(SERVICE.STATS64),
  };
}

/** @throws IpvsError for a malformed entry */
export function readDestEntry(source: Uint8Array, start: number, end: number): DestEntry {
  const entry = readDestReply(source, start, end);
  if (!entry) throw broken();
  return entry;
}

/** @throws IpvsError for a malformed entry */
export function readDaemonEntry(attributes: Attributes): DaemonConfig {
  return daemonConfig(within(attributes, ATTR.DAEMON, DAEMON_POLICY));
}

export function readTimeoutsReply(attributes: Attributes): Timeouts {
  return {
    tcpSec: attributes.u32(ATTR.TIMEOUT_TCP),
    tcpFinSec: attributes.u32(ATTR.TIMEOUT_TCP_FIN),
    udpSec: attributes.u32(ATTR.TIMEOUT_UDP),
  };
}

function within(attributes: Attributes, type: number, policy: Policy): Attributes {
  const bytes = attributes.bytes(type);
  const inner = bytes && readAttributes(bytes, policy);
  if (!inner || typeof inner === 'string') throw broken();
  return inner;
}

/** @returns `undefined` for an acknowledgement. The reason is the director's if it gave one, else the errno's name. */
function readError(message: Message): IpvsError | undefined {
  if (message.payload.length < ERRNO_LEN + HEADER_LEN) throw broken();
  const view = viewOf(message.payload);
  const number = -view.getInt32(0, true);
  if (number === 0) return undefined;
  const errno = errnoName(number) ?? 'EIO';
  return new IpvsError(errno, readReason(message) ?? `${errno} (${number})`);
}

function readReason(message: Message): string | undefined {
  if (!(message.flags & FLAG.ACK_TLVS)) return undefined;
  const echoed =
    message.flags & FLAG.CAPPED ? HEADER_LEN : viewOf(message.payload).getUint32(ERRNO_LEN, true);
  const attributes = readAttributes(message.payload.subarray(ERRNO_LEN + align4(echoed)), ERROR_POLICY);
  return typeof attributes === 'string' ? undefined : attributes.text(ERROR_ATTRIBUTE.MSG) || undefined;
}
