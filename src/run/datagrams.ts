import { CONTROLLER_ATTR, CONTROLLER_COMMAND, CONTROLLER_ID } from '../netlink/controller.ts';
import { COMMAND, IPVS_FAMILY } from '../netlink/ipvs-abi.ts';
import {
  ATTRIBUTE_HEADER_LEN,
  align4,
  attributeLength,
  attributeType,
  FLAG,
  GENL_HEADER_LEN,
  HEADER_LEN,
  messageLength,
  messageType,
  TYPE,
  u16At,
  viewOf,
} from '../netlink/wire.ts';

/**
 * The number of the family IPVS for wrapped programs. The kernel gives numbers up to 1023 only, so that no family of
 * its own can have this one.
 */
export const FAMILY_ID = 1052;

/** Type of the message that asks for nothing but an acknowledgement (NLMSG_NOOP). */
const NOOP = 1;
/** Where an error message has its errno, and the type of the request that it repeats. */
const ERROR_AT = HEADER_LEN;
const ECHO_AT = HEADER_LEN + 4;

/** Commands that change nothing. */
const QUESTIONS: readonly number[] = [
  COMMAND.GET_SERVICE,
  COMMAND.GET_DEST,
  COMMAND.GET_DAEMON,
  COMMAND.GET_CONFIG,
  COMMAND.GET_INFO,
];

/** One message of a datagram that a program sent. */
export interface Part {
  readonly isOurs: boolean;
  /** The whole message; a view of the datagram. */
  readonly bytes: Uint8Array;
}

/** The numbers of the family IPVS that are to be told apart. */
export interface FamilyNumbers {
  /** The kernel's own family on this machine; `undefined` if it has none. A program that found it gets ours. */
  readonly kernel: number | undefined;
}

/** Splits what a program sent; messages to other families are not ours. */
export function splitRequest(datagram: Uint8Array, numbers: FamilyNumbers): Part[] {
  const parts: Part[] = [];
  let length = messageLength(datagram, 0);
  for (let at = 0; length > 0; length = messageLength(datagram, at)) {
    const bytes = datagram.subarray(at, at + length);
    parts.push({ isOurs: isOurs(bytes, numbers), bytes });
    at += align4(length);
  }
  return parts;
}

/** Whether a message asks for all families, of which the kernel's answer may name its own IPVS. */
export function isFamilyDump(message: Uint8Array): boolean {
  return typeOf(message) === CONTROLLER_ID && (flagsOf(message) & FLAG.DUMP) === FLAG.DUMP;
}

/** Whether the answer to a message ends where `endsAnswer` says: else it has to be asked for. */
export function hasEnd(message: Uint8Array): boolean {
  const flags = flagsOf(message);
  return (flags & FLAG.REQUEST) !== 0 && ((flags & FLAG.ACK) !== 0 || (flags & FLAG.DUMP) === FLAG.DUMP);
}

/** Whether a message of ours asks for the family, not for something of it. */
export const isFamilyQuestion = (message: Uint8Array): boolean => typeOf(message) === CONTROLLER_ID;

/** Whether asking twice does no harm. */
export function isQuestion(message: Uint8Array): boolean {
  if (typeOf(message) === CONTROLLER_ID || (flagsOf(message) & FLAG.DUMP) === FLAG.DUMP) return true;
  return message.length > HEADER_LEN && QUESTIONS.includes(message[HEADER_LEN]!);
}

/** Whether a datagram is the last of an answer: an error, an acknowledgement or the end of a dump. */
export function endsAnswer(datagram: Uint8Array): boolean {
  const type = typeOf(datagram);
  return type === TYPE.ERROR || type === TYPE.DONE;
}

/** A message whose acknowledgement shows that everything before it has been answered. */
export function marker(): Uint8Array {
  const bytes = new Uint8Array(HEADER_LEN);
  const view = viewOf(bytes);
  view.setUint32(0, HEADER_LEN, true);
  view.setUint16(4, NOOP, true);
  view.setUint16(6, FLAG.REQUEST | FLAG.ACK, true);
  return bytes;
}

/** Whether a datagram acknowledges a marker; families never have its type. */
export function isMarked(datagram: Uint8Array): boolean {
  return (
    datagram.length >= ECHO_AT + HEADER_LEN &&
    typeOf(datagram) === TYPE.ERROR &&
    u16At(datagram, ECHO_AT + 4) === NOOP
  );
}

/** @returns the number by which a message of ours calls the family, or that it is to learn. */
export function clientIdOf(message: Uint8Array): number {
  if (typeOf(message) !== CONTROLLER_ID) return typeOf(message);
  const id = attribute(message, CONTROLLER_ATTR.FAMILY_ID);
  return id && id.length >= 2 ? u16At(id, 0) : FAMILY_ID;
}

/** @returns a message as the director wants it. @param directorId the director's number of IPVS */
export function toDirector(message: Uint8Array, directorId: number): Uint8Array {
  const copy = Uint8Array.from(message);
  if (typeOf(message) === CONTROLLER_ID) {
    setU16(attribute(copy, CONTROLLER_ATTR.FAMILY_ID), directorId);
  } else {
    viewOf(copy).setUint16(4, directorId, true);
  }
  return copy;
}

/** What a reply must show a program instead of what the director wrote. */
export interface Disguise {
  readonly directorId: number;
  /** The family number that the program used or is to use. */
  readonly clientId: number;
}

/** Rewrites the family's number in the messages of a reply, in place. */
export function toClient(datagram: Uint8Array, { directorId, clientId }: Disguise): Uint8Array {
  const view = viewOf(datagram);
  eachMessage(datagram, (at, length) => {
    const type = view.getUint16(at + 4, true);
    if (type === directorId) view.setUint16(at + 4, clientId, true);
    if (type === TYPE.ERROR) {
      if (view.getUint16(at + ECHO_AT + 4, true) === directorId)
        view.setUint16(at + ECHO_AT + 4, clientId, true);
    }
    if (type === CONTROLLER_ID) {
      setU16(attribute(datagram.subarray(at, at + length), CONTROLLER_ATTR.FAMILY_ID), clientId);
    }
  });
  return datagram;
}

/** Writes the port id of the receiving socket into the messages of a reply, in place. */
export function setPort(datagram: Uint8Array, port: number): void {
  const view = viewOf(datagram);
  eachMessage(datagram, (at) => view.setUint32(at + 12, port, true));
}

/** @returns the kernel's refusal of a request. @param errno positive */
export function refusal(request: Uint8Array, errno: number): Uint8Array {
  const bytes = new Uint8Array(align4(ECHO_AT + request.length));
  const view = viewOf(bytes);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, TYPE.ERROR, true);
  bytes.set(request.subarray(8, 16), 8);
  view.setInt32(ERROR_AT, -errno, true);
  bytes.set(request, ECHO_AT);
  return bytes;
}

/** @returns the same error without the request's payload, as a socket with NETLINK_CAP_ACK gets it. */
export function capped(datagram: Uint8Array): Uint8Array {
  const view = viewOf(datagram);
  if (typeOf(datagram) !== TYPE.ERROR || view.getInt32(ERROR_AT, true) === 0) return datagram;
  const cut = Uint8Array.from(datagram.subarray(0, ECHO_AT + HEADER_LEN));
  viewOf(cut).setUint32(0, cut.length, true);
  viewOf(cut).setUint16(6, flagsOf(datagram) | FLAG.CAPPED, true);
  return cut;
}

/** @returns the number of the family that a reply of the controller tells; -1 if it tells none. */
export function familyIdIn(reply: Uint8Array): number {
  if (reply.length < HEADER_LEN + GENL_HEADER_LEN || typeOf(reply) !== CONTROLLER_ID) return -1;
  const id = attribute(reply, CONTROLLER_ATTR.FAMILY_ID);
  return id && id.length >= 2 ? u16At(id, 0) : -1;
}

/** @returns the request for the number of the family IPVS. */
export function familyRequest(): Uint8Array {
  const name = new TextEncoder().encode(`${IPVS_FAMILY.name}\0`);
  const start = HEADER_LEN + GENL_HEADER_LEN;
  const bytes = new Uint8Array(align4(start + ATTRIBUTE_HEADER_LEN + name.length));
  const view = viewOf(bytes);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, CONTROLLER_ID, true);
  view.setUint16(6, FLAG.REQUEST | FLAG.ACK, true);
  bytes.set([CONTROLLER_COMMAND.GET_FAMILY, 1], HEADER_LEN);
  view.setUint16(start, ATTRIBUTE_HEADER_LEN + name.length, true);
  view.setUint16(start + 2, CONTROLLER_ATTR.FAMILY_NAME, true);
  bytes.set(name, start + ATTRIBUTE_HEADER_LEN);
  return bytes;
}

const typeOf = (message: Uint8Array): number => messageType(message, 0);
const flagsOf = (message: Uint8Array): number => u16At(message, 6);

function isOurs(message: Uint8Array, { kernel }: FamilyNumbers): boolean {
  const type = typeOf(message);
  if (type === FAMILY_ID || (kernel !== undefined && type === kernel)) return true;
  if (type !== CONTROLLER_ID || message[HEADER_LEN] !== CONTROLLER_COMMAND.GET_FAMILY) return false;
  if (isFamilyDump(message)) return false;
  const id = attribute(message, CONTROLLER_ATTR.FAMILY_ID);
  if (id && id.length >= 2) return u16At(id, 0) === FAMILY_ID || u16At(id, 0) === kernel;
  const name = attribute(message, CONTROLLER_ATTR.FAMILY_NAME);
  return (
    name !== undefined && Buffer.from(name).toString('latin1').replace(/\0.*$/s, '') === IPVS_FAMILY.name
  );
}

function setU16(bytes: Uint8Array | undefined, value: number): void {
  if (bytes && bytes.length >= 2) viewOf(bytes).setUint16(0, value, true);
}

/** @returns the value of an attribute of a generic-netlink message, a view of it; `undefined` if there is none. */
function attribute(message: Uint8Array, wanted: number): Uint8Array | undefined {
  let at = HEADER_LEN + GENL_HEADER_LEN;
  for (;;) {
    const length = attributeLength(message, at, message.length);
    if (length <= 0) return undefined;
    if (attributeType(message, at) === wanted)
      return message.subarray(at + ATTRIBUTE_HEADER_LEN, at + length);
    at += align4(length);
  }
}

function eachMessage(datagram: Uint8Array, visit: (at: number, length: number) => void): void {
  let length = messageLength(datagram, 0);
  for (let at = 0; length > 0; length = messageLength(datagram, at)) {
    visit(at, length);
    at += align4(length);
  }
}
