import { DEVICE_PREFIX } from './names.ts';
import { parseLink } from './rtnetlink.ts';

/** Messages of nftables: subsystem 10, deletion of a table 2 (uapi linux/netfilter/nf_tables.h). */
const TABLE_DELETED = 0x0a02;

/** Deletion of a routing rule (uapi linux/rtnetlink.h). */
const RULE_DELETED = 33;

/** News of an interface (uapi linux/rtnetlink.h). */
const LINK_NEWS = 16;

const HEADER_LEN = 16;

/** Whether a notice of the kernel's tells that a table of nft was deleted. */
export const tellsTableDeletion = (bytes: Uint8Array): boolean => hasMessage(bytes, TABLE_DELETED);

/** Whether a notice of the kernel's tells that a routing rule was deleted. */
export const tellsRuleDeletion = (bytes: Uint8Array): boolean => hasMessage(bytes, RULE_DELETED);

/** Whether a notice of the kernel's tells that a device of a director is down. */
export function tellsDeviceDown(bytes: Uint8Array): boolean {
  return hasMessage(bytes, LINK_NEWS, (message) => {
    const link = parseLink(message);
    return link !== undefined && !link.isUp && link.name.startsWith(DEVICE_PREFIX);
  });
}

function hasMessage(
  bytes: Uint8Array,
  type: number,
  holds: (message: Uint8Array) => boolean = () => true,
): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + HEADER_LEN <= bytes.length; ) {
    if (view.getUint16(at + 4, true) === type && holds(bytes.subarray(at))) return true;
    const length = view.getUint32(at, true);
    if (length < HEADER_LEN || length > bytes.length) return false;
    at += (length + 3) & ~3;
  }
  return false;
}
