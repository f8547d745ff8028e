/** Bytes of a netlink header, of a generic-netlink header and of an attribute's header. */
export const HEADER_LEN = 16;
export const GENL_HEADER_LEN = 4;
export const ATTRIBUTE_HEADER_LEN = 4;

/** Message types below 16 belong to netlink itself (linux/netlink.h). */
export const TYPE = { ERROR: 2, DONE: 3, FIRST_FAMILY: 16 } as const;

/** Bits of a message's flags. The two bits of DUMP count only together. */
export const FLAG = {
  REQUEST: 0x0001,
  MULTI: 0x0002,
  ACK: 0x0004,
  DUMP: 0x0300,
  /** In a reply: the request is echoed without its payload. */
  CAPPED: 0x0100,
  /** In a reply: attributes of NLMSGERR_ATTR follow the echoed request. */
  ACK_TLVS: 0x0200,
} as const;

/** Attributes after the echoed request of an error (extended acknowledgement). */
export const ERROR_ATTRIBUTE = { MSG: 1 } as const;

/** One netlink message within a datagram. */
export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly seq: number;
  readonly pid: number;
  /** The whole message, header included, without padding behind it. */
  readonly raw: Uint8Array;
  readonly payload: Uint8Array;
}

/**
 * An attribute as it stands in a message; `type` without the bits for nesting and byte order. The value stays where it
 * is: a view of each of a large dump's attributes would take longer than all else.
 */
export interface RawAttribute {
  readonly type: number;
  readonly source: Uint8Array;
  /** Where the value starts. */
  readonly at: number;
  /** Bytes of the value. */
  readonly length: number;
}

/** A view of an attribute's value. */
export const attributeBytes = ({ source, at, length }: RawAttribute): Uint8Array =>
  source.subarray(at, at + length);

export const align4 = (length: number): number => (length + 3) & ~3;

/**
 * Splits a datagram into its messages. Like netlink_rcv_skb it ends, silently, at the first header that is cut off
 * or whose length is impossible.
 */
export function readMessages(datagram: Uint8Array): Message[] {
  const view = viewOf(datagram);
  const messages: Message[] = [];
  for (let at = 0; datagram.length - at >= HEADER_LEN; ) {
    const length = view.getUint32(at, true);
    if (length < HEADER_LEN || length > datagram.length - at) break;
    const raw = datagram.subarray(at, at + length);
    messages.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      seq: view.getUint32(at + 8, true),
      pid: view.getUint32(at + 12, true),
      raw,
      payload: raw.subarray(HEADER_LEN),
    });
    at += align4(length);
  }
  return messages;
}

/** Whether a message of the datagram has a type for which `holds`; ends where readMessages does. */
export function someMessageType(datagram: Uint8Array, holds: (type: number) => boolean): boolean {
  const view = viewOf(datagram);
  for (let at = 0; datagram.length - at >= HEADER_LEN; ) {
    const length = view.getUint32(at, true);
    if (length < HEADER_LEN || length > datagram.length - at) return false;
    if (holds(view.getUint16(at + 4, true))) return true;
    at += align4(length);
  }
  return false;
}

/** Splits bytes into attributes; like nla_for_each_attr it ends at the first one that does not fit. */
export function readRawAttributes(bytes: Uint8Array): RawAttribute[] {
  const attributes: RawAttribute[] = [];
  for (let at = 0; bytes.length - at >= ATTRIBUTE_HEADER_LEN; ) {
    const length = bytes[at]! | (bytes[at + 1]! << 8);
    if (length < ATTRIBUTE_HEADER_LEN || length > bytes.length - at) break;
    attributes.push({
      type: (bytes[at + 2]! | (bytes[at + 3]! << 8)) & 0x3fff,
      source: bytes,
      at: at + ATTRIBUTE_HEADER_LEN,
      length: length - ATTRIBUTE_HEADER_LEN,
    });
    at += align4(length);
  }
  return attributes;
}

/** A DataView of exactly these bytes. */
export const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
