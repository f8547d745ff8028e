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
 * Writes one netlink message from front to back. The counters of `pad64` messages are aligned to 8 bytes, as kernels
 * do that are built without efficient unaligned access.
 */
export class MessageWriter {
  private bytes = new Uint8Array(FIRST_CAPACITY);
  private view = viewOf(this.bytes);
  private end = HEADER_LEN;
  private readonly pad64: boolean;

  constructor(header: Header, pad64 = false) {
    this.pad64 = pad64;
    this.view.setUint16(4, header.type, true);
    this.view.setUint16(6, header.flags, true);
    this.view.setUint32(8, header.seq, true);
    this.view.setUint32(12, header.pid, true);
  }

  /** Ends the message. */
  finish(): Uint8Array {
    this.view.setUint32(0, this.end, true);
    return this.bytes.subarray(0, this.end);
  }

  genl(command: number, version: number): this {
    const at = this.grow(GENL_HEADER_LEN);
    this.bytes[at] = command;
    this.bytes[at + 1] = version;
    return this;
  }

  i32(value: number): this {
    const at = this.grow(4);
    this.view.setInt32(at, value, true);
    return this;
  }

  /** Bytes that are no attribute, padded to four. */
  append(value: Uint8Array): this {
    const at = this.grow(align4(value.length));
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
    if (this.pad64 && this.end % 8 === 0) this.attribute(pad, 0);
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
    const at = this.grow(ATTRIBUTE_HEADER_LEN + align4(length));
    this.view.setUint16(at, ATTRIBUTE_HEADER_LEN + length, true);
    this.view.setUint16(at + 2, type, true);
    return at + ATTRIBUTE_HEADER_LEN;
  }

  /** Makes room for zeroed bytes. @returns where they start */
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
