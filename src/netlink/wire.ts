/** Bytes of a netlink header, of a generic-netlink header and of an attribute's header. */
export const HEADER_LEN = 16;
export const GENL_HEADER_LEN = 4;
export const ATTRIBUTE_HEADER_LEN = 4;

/** The bits of an attribute's number; the others say that it is nested or in network order. */
export const TYPE_MASK = 0x3fff;

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

export const align4 = (length: number): number => (length + 3) & ~3;

/** Splits a datagram into its messages; ends where `messageLength` finds none. */
export function readMessages(datagram: Uint8Array): Message[] {
  const messages: Message[] = [];
  let length = messageLength(datagram, 0);
  for (let at = 0; length > 0; length = messageLength(datagram, at)) {
    messages.push(messageAt(datagram, at, length));
    at += align4(length);
  }
  return messages;
}

/**
 * @returns bytes of the message at `at`, its header included; 0 where netlink_rcv_skb ends, silently: at the first
 * header that is cut off or whose length is impossible.
 */
export function messageLength(datagram: Uint8Array, at: number): number {
  if (datagram.length - at < HEADER_LEN) return 0;
  const length = u32At(datagram, at);
  return length < HEADER_LEN || length > datagram.length - at ? 0 : length;
}

/** @returns the type of the message at `at`. */
export const messageType = (datagram: Uint8Array, at: number): number => u16At(datagram, at + 4);

/** @returns the message at `at`, which has that length. */
export function messageAt(datagram: Uint8Array, at: number, length: number): Message {
  const raw = datagram.subarray(at, at + length);
  return {
    type: messageType(raw, 0),
    flags: u16At(raw, 6),
    seq: u32At(raw, 8),
    pid: u32At(raw, 12),
    raw,
    payload: raw.subarray(HEADER_LEN),
  };
}

/** @returns bytes of the attribute at `at`, its header included; 0 where none fits: there nla_for_each_attr ends. */
export function attributeLength(bytes: Uint8Array, at: number, end: number): number {
  if (end - at < ATTRIBUTE_HEADER_LEN) return 0;
  const length = u16At(bytes, at);
  return length < ATTRIBUTE_HEADER_LEN || length > end - at ? 0 : length;
}

/** @returns the number of the attribute at `at`, without the bits for nesting and byte order. */
export const attributeType = (bytes: Uint8Array, at: number): number => u16At(bytes, at + 2) & TYPE_MASK;

/** Integers where they stand, little-endian unless they say that they are in network order. */
export const u16At = (bytes: Uint8Array, at: number): number => bytes[at]! | (bytes[at + 1]! << 8);

export const be16At = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!;

export const u32At = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;

export const be32At = (bytes: Uint8Array, at: number): number =>
  ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;

/** Exact up to 2^53. */
export const u64At = (bytes: Uint8Array, at: number): number =>
  u32At(bytes, at + 4) * 2 ** 32 + u32At(bytes, at);

/** A DataView of exactly these bytes. */
export const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
