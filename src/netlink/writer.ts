import type { Address } from '../core/address.ts';
import { IpvsError } from '../core/errors.ts';
import { encodeUtf8 } from './utf8.ts';
import {
  ATTRIBUTE_HEADER_LEN,
  align4,
  FLAG,
  GENL_HEADER_LEN,
  HEADER_LEN,
  type Message,
  TYPE,
  viewOf,
} from './wire.ts';

/** Largest value of one attribute that carries a piece of a long text, in bytes. */
const TEXT_PIECE = 32768;
/** An attribute's length, its header included, is a u16. */
const MAX_VALUE = 65535 - ATTRIBUTE_HEADER_LEN;
const FIRST_CAPACITY = 512;

/** What distinguishes one message from another besides its payload. */
export interface Header {
  readonly type: number;
  readonly flags: number;
  readonly seq: number;
  readonly pid: number;
}

/**
 * Writes netlink messages from front to back, one behind the other. The counters of `pad64` messages are aligned to 8
 * bytes within their message, as kernels do that are built without efficient unaligned access.
 */
export class MessageWriter {
  private bytes = new Uint8Array(FIRST_CAPACITY);
  private view = viewOf(this.bytes);
  /** Where the message that is written starts, and where it ends so far. */
  private start = 0;
  private end = 0;
  private readonly pad64: boolean;

  /** Starts the first message. */
  constructor(header: Header, pad64 = false) {
    this.pad64 = pad64;
    this.begin(header);
  }

  /** Ends a message and starts another one behind it; the one before must be a multiple of four bytes long. */
  next(header: Header): this {
    this.endMessage();
    this.begin(header);
    return this;
  }

  /** Bytes of all messages so far. */
  get length(): number {
    return this.end;
  }

  /** Bytes of the messages before the one that is written. */
  get lengthBefore(): number {
    return this.start;
  }

  /** Ends the message. @returns all of them; valid until the next call */
  finish(): Uint8Array {
    this.endMessage();
    return this.bytes.subarray(0, this.end);
  }

  /** Takes out the messages before the one that is written. */
  takeBefore(): Uint8Array {
    const taken = this.bytes.slice(0, this.start);
    this.bytes.copyWithin(0, this.start, this.end);
    this.end -= this.start;
    this.start = 0;
    return taken;
  }

  genl(command: number, version: number): this {
    const at = this.grow(GENL_HEADER_LEN);
    this.view.setUint32(at, command | (version << 8), true);
    return this;
  }

  i32(value: number): this {
    const at = this.grow(4);
    this.view.setInt32(at, value, true);
    return this;
  }

  /** Bytes that are no attribute, padded to four. */
  append(value: Uint8Array): this {
    const at = this.growPadded(value.length);
    this.bytes.set(value, at);
    return this;
  }

  attrBytes(type: number, value: Uint8Array): this {
    const at = this.attribute(type, value.length);
    this.bytes.set(value, at);
    return this;
  }

  attrU8(type: number, value: number): this {
    const at = this.attribute(type, 1);
    this.view.setUint8(at, value);
    return this;
  }

  attrU16(type: number, value: number): this {
    const at = this.attribute(type, 2);
    this.view.setUint16(at, value, true);
    return this;
  }

  attrBe16(type: number, value: number): this {
    const at = this.attribute(type, 2);
    this.view.setUint16(at, value, false);
    return this;
  }

  attrU32(type: number, value: number): this {
    const at = this.attribute(type, 4);
    this.view.setUint32(at, value, true);
    return this;
  }

  attrTwoU32(type: number, first: number, second: number): this {
    const at = this.attribute(type, 8);
    this.view.setUint32(at, first, true);
    this.view.setUint32(at + 4, second, true);
    return this;
  }

  attrBe32(type: number, value: number): this {
    const at = this.attribute(type, 4);
    this.view.setUint32(at, value, false);
    return this;
  }

  /** @param pad number of the empty attribute that aligns the value, where this message is padded */
  attrU64(type: number, value: number, pad: number): this {
    if (this.pad64 && (this.end - this.start) % 8 === 0) this.attribute(pad, 0);
    const at = this.attribute(type, 8);
    this.view.setUint32(at, value, true);
    this.view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
    return this;
  }

  /** Text with its NUL. */
  attrText(type: number, value: string): this {
    const bytes = encodeUtf8(value);
    const at = this.attribute(type, bytes.length + 1);
    this.bytes.set(bytes, at);
    this.bytes[at + bytes.length] = 0;
    return this;
  }

  /** Text of any length without NUL, over as many attributes as it needs, at least one. */
  attrLongText(type: number, value: string): this {
    const bytes = encodeUtf8(value);
    let at = 0;
    do {
      this.attrBytes(type, bytes.subarray(at, at + TEXT_PIECE));
      at += TEXT_PIECE;
    } while (at < bytes.length);
    return this;
  }

  /** An address in network order, zeros behind an IPv4 one. */
  attrAddress(type: number, { words }: Address): this {
    const at = this.attribute(type, 16);
    for (let i = 0; i < 4; i++) this.view.setInt32(at + 4 * i, words[i]!, false);
    return this;
  }

  /** @param type with the bit 0x8000 where the receiver shall see that it is nested */
  nest(type: number, fill: (writer: this) => void): this {
    const start = this.attribute(type, 0);
    fill(this);
    const length = this.end - start;
    checkLength(length);
    this.view.setUint16(start - ATTRIBUTE_HEADER_LEN, length + ATTRIBUTE_HEADER_LEN, true);
    return this;
  }

  /** Starts an attribute. @returns where its value goes */
  private attribute(type: number, length: number): number {
    checkLength(length);
    const at = this.growPadded(ATTRIBUTE_HEADER_LEN + length);
    this.view.setUint16(at, ATTRIBUTE_HEADER_LEN + length, true);
    this.view.setUint16(at + 2, type, true);
    return at + ATTRIBUTE_HEADER_LEN;
  }

  private begin(header: Header): void {
    this.start = this.end;
    const at = this.grow(HEADER_LEN);
    this.view.setUint16(at + 4, header.type, true);
    this.view.setUint16(at + 6, header.flags, true);
    this.view.setUint32(at + 8, header.seq, true);
    this.view.setUint32(at + 12, header.pid, true);
  }

  private endMessage(): void {
    this.view.setUint32(this.start, this.end - this.start, true);
  }

  /** Makes room for `length` bytes and zeros up to a multiple of four. @returns where they start */
  private growPadded(length: number): number {
    const at = this.grow(align4(length));
    if ((length & 3) !== 0) this.bytes.fill(0, at + length, this.end);
    return at;
  }

  /** Makes room for bytes that are all to be written. @returns where they start */
  private grow(length: number): number {
    const at = this.end;
    this.end += length;
    if (this.end > this.bytes.length) {
      const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.end));
      larger.set(this.bytes);
      this.bytes = larger;
      this.view = viewOf(larger);
    }
    return at;
  }
}

function checkLength(length: number): void {
  if (length > MAX_VALUE) throw new IpvsError('EMSGSIZE', `an attribute holds at most ${MAX_VALUE} bytes`);
}

/** The acknowledgement of a request that succeeded: its header only. */
export function ackMessage(request: Message): Uint8Array {
  return new MessageWriter(replyHeader(request, TYPE.ERROR, FLAG.CAPPED))
    .i32(0)
    .append(request.raw.subarray(0, HEADER_LEN))
    .finish();
}

/** The end of a dump. */
export function doneMessage(request: Message): Uint8Array {
  return new MessageWriter(replyHeader(request, TYPE.DONE, FLAG.MULTI)).i32(0).finish();
}

/** The header of a reply: the request's sequence number and port id. */
export function replyHeader(request: Message, type: number, flags: number): Header {
  return { type, flags, seq: request.seq, pid: request.pid };
}
