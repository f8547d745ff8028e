import { type Address, AF_INET, addressBytes, type Family } from '../../../core/address.ts';
import type { CaptureWish } from '../host-state/capture-sets.ts';

/**
 * The one map of the capturing program. It has an entry for each address that matters, with port and protocol 0, whose
 * value tells why; and one for each virtual service and each server, whose value means nothing.
 *
 *   address (16 bytes, those of IPv4 first) | port (2, network order) | protocol (1) | kind (1)
 */
export const KEY = { ADDRESS: 0, PORT: 16, PROTOCOL: 18, KIND: 19, BYTES: 20 } as const;

/** Kinds of entries; IPv6 adds `KIND_V6`. */
export const KIND = { ADDRESS: 0, VIRTUAL: 2, SERVER: 4 } as const;
export const KIND_V6 = 1;

/** Why an address matters, as bits. */
export const ROLE = {
  VIRTUAL: 1,
  /** There is a service for all ports of a protocol. */
  VIRTUAL_ANY: 2,
  SERVER: 4,
  SERVER_ANY: 8,
  /** The host's own. */
  OWN: 16,
} as const;

/** Entries that the map may have. */
export const MOST_ENTRIES = 65_536;

/** Values by keys; a key's characters are its bytes. */
export type CaptureEntries = ReadonlyMap<string, number>;

/**
 * Spells out what the program is to find.
 *
 * @param families those that it may take; not one of which packets are told by firewall marks, which the program does not see
 * @param own addresses of the host
 */
export function captureEntries(
  wish: CaptureWish,
  families: readonly Family[],
  own: Iterable<Address>,
): CaptureEntries {
  const entries = new Map<string, number>();
  const add = (key: string, role: number): void => {
    entries.set(key, (entries.get(key) ?? 0) | role);
  };
  const isTaken = ({ family }: { readonly family: Family }): boolean =>
    families.includes(family) && !wish.marks.some((mark) => mark.family === family);
  for (const { addr, protocol, port } of wish.virtual.filter(isTaken)) {
    add(addressKey(addr), ROLE.VIRTUAL | (port === 0 ? ROLE.VIRTUAL_ANY : 0));
    add(entryKey(addr, port, protocol, KIND.VIRTUAL), 0);
  }
  for (const { addr, protocol, port } of wish.servers.filter(isTaken)) {
    add(addressKey(addr), ROLE.SERVER | (port === 0 ? ROLE.SERVER_ANY : 0));
    add(entryKey(addr, port, protocol, KIND.SERVER), 0);
  }
  for (const addr of own) add(addressKey(addr), ROLE.OWN);
  return entries;
}

const addressKey = (addr: Address): string => entryKey(addr, 0, 0, KIND.ADDRESS);

function entryKey(addr: Address, port: number, protocol: number, kind: number): string {
  const bytes = new Uint8Array(KEY.BYTES);
  bytes.set(addressBytes(addr), KEY.ADDRESS);
  bytes[KEY.PORT] = port >> 8;
  bytes[KEY.PORT + 1] = port;
  bytes[KEY.PROTOCOL] = protocol;
  bytes[KEY.KIND] = kind | (addr.family === AF_INET ? 0 : KIND_V6);
  return String.fromCharCode(...bytes);
}
