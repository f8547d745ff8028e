import { DEVICE_PREFIX } from './names.ts';
import { parseLink } from './rtnetlink.ts';

/** Messages of nftables: subsystem 10; a table is new or changed, deleted, a chain likewise (uapi linux/netfilter/nf_tables.h). */
const TABLE_NEWS = 0x0a00;
const TABLE_DELETED = 0x0a02;
const CHAIN_NEWS = 0x0a03;
const CHAIN_DELETED = 0x0a05;

/** Deletion of a routing rule (uapi linux/rtnetlink.h). */
const RULE_DELETED = 33;

/** News of interfaces and addresses (uapi linux/rtnetlink.h). */
const LINK_NEWS = 16;
const LINK_DELETED = 17;
const ADDRESS_NEWS = 20;
const ADDRESS_DELETED = 21;

const HEADER_LEN = 16;

/** Whether a notice of the kernel's tells that a table of nft was deleted. */
export const tellsTableDeletion = (bytes: Uint8Array): boolean => hasMessage(bytes, [TABLE_DELETED]);

/** Whether a notice of the kernel's tells that a routing rule was deleted. */
export const tellsRuleDeletion = (bytes: Uint8Array): boolean => hasMessage(bytes, [RULE_DELETED]);

/** Whether a notice of the kernel's tells that a device of a director is down. */
export function tellsDeviceDown(bytes: Uint8Array): boolean {
  return hasMessage(bytes, [LINK_NEWS], (message) => {
    const link = parseLink(message);
    return link !== undefined && !link.isUp && link.name.startsWith(DEVICE_PREFIX);
  });
}

/** Whether a notice of the kernel's tells that there are other chains of nft than before. */
export const tellsChainChange = (bytes: Uint8Array): boolean =>
  hasMessage(bytes, [TABLE_NEWS, TABLE_DELETED, CHAIN_NEWS, CHAIN_DELETED]);

/** Whether a notice of the kernel's tells that a device, or an address of the host, is new, changed or gone. */
export const tellsDeviceChange = (bytes: Uint8Array): boolean =>
  hasMessage(bytes, [LINK_NEWS, LINK_DELETED, ADDRESS_NEWS, ADDRESS_DELETED]);

/** @returns the indices of the devices of whose deletion a notice of the kernel's tells */
export function deletedDevices(bytes: Uint8Array): number[] {
  const indices: number[] = [];
  hasMessage(bytes, [LINK_DELETED], (message) => {
    const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
    if (message.length >= HEADER_LEN + 8) indices.push(view.getInt32(HEADER_LEN + 4, true));
    return false;
  });
  return indices;
}

function hasMessage(
  bytes: Uint8Array,
  types: readonly number[],
  holds: (message: Uint8Array) => boolean = () => true,
): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + HEADER_LEN <= bytes.length; ) {
    if (types.includes(view.getUint16(at + 4, true)) && holds(bytes.subarray(at))) return true;
    const length = view.getUint32(at, true);
    if (length < HEADER_LEN || length > bytes.length) return false;
    at += (length + 3) & ~3;
  }
  return false;
}
