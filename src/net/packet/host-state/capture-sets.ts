import {
  type Address,
  AF_INET,
  AF_INET6,
  addressBytes,
  type Family,
  formatAddress,
} from '../../../core/address.ts';
import type { CaptureList, Endpoint } from '../capture-list.ts';
import { NFT_FAMILY } from './families.ts';
import { fwmarkDevice, MAIN_DEVICE, NFT_TABLE, RETURN_BIT } from './names.ts';

/** What the rules look packets up in; the last three are maps. */
export const SETS = [
  'vip',
  'vip_any',
  'vip_addr',
  'rip',
  'rip_any',
  'rip_addr',
  'quoted',
  'all_errors',
  'fwmarks',
  'links',
  'returns',
] as const;
type SetName = (typeof SETS)[number];

/** What is to be captured. */
export interface CaptureWish extends CaptureList {
  /** Servers reached by tunnels: ICMP errors about packets to them. */
  readonly tunnelServers?: readonly Address[];
}

/** The elements of the sets of one family, as nft writes them. */
export type SetElements = Readonly<Record<SetName, ReadonlySet<string>>>;

export const NO_ELEMENTS: SetElements = emptySets();

/** Protocol numbers. */
const ICMP = { [AF_INET]: 1, [AF_INET6]: 58 } as const;

/**
 * Spells out the elements that a wish means for one family.
 *
 * @param markOf the capture mark of a device
 */
export function setElements(
  wish: CaptureWish,
  family: Family,
  markOf: (device: string) => number,
): SetElements {
  const sets = emptySets();
  putDevice(sets, MAIN_DEVICE, markOf(MAIN_DEVICE));
  for (const each of wish.virtual) {
    if (each.family === family) putEndpoint(each, sets.vip, sets.vip_any, sets.vip_addr);
  }
  for (const each of wish.servers) {
    if (each.family !== family) continue;
    putEndpoint(each, sets.rip, sets.rip_any, sets.rip_addr);
    sets.quoted.add(hexAddress(each.addr));
  }
  for (const addr of wish.tunnelServers ?? []) if (addr.family === family) sets.quoted.add(hexAddress(addr));
  for (const { family: markFamily, fwmark } of wish.marks) {
    if (markFamily !== family) continue;
    const device = fwmarkDevice(fwmark);
    sets.fwmarks.add(`${hex(fwmark)} : ${hex(markOf(device))}`);
    putDevice(sets, device, markOf(device));
    // Which addresses have marked packets is not known, and errors about them carry no mark.
    sets.all_errors.add(`${ICMP[family]}`);
  }
  return sets;
}

/**
 * Writes what turns one state of the sets into another, as input for nft; '' if they are alike. All of it takes effect
 * at once.
 */
export function setChanges(family: Family, before: SetElements, after: SetElements): string {
  const lines: string[] = [];
  for (const set of SETS) {
    const gone = [...before[set]].filter((element) => !after[set].has(element));
    const added = [...after[set]].filter((element) => !before[set].has(element));
    if (gone.length > 0) lines.push(elementLine('delete', family, set, gone));
    if (added.length > 0) lines.push(elementLine('add', family, set, added));
  }
  return lines.join('');
}

function elementLine(verb: string, family: Family, set: SetName, elements: readonly string[]): string {
  return `${verb} element ${NFT_FAMILY[family]} ${NFT_TABLE} ${set} { ${elements.join(', ')} }\n`;
}

function putDevice(sets: Record<SetName, Set<string>>, device: string, mark: number): void {
  sets.links.add(`${hex(mark)} : "${device}"`);
  sets.returns.add(`"${device}" : ${hex(mark + RETURN_BIT)}`);
}

function putEndpoint(
  { protocol, addr, port }: Endpoint,
  ports: Set<string>,
  any: Set<string>,
  addresses: Set<string>,
): void {
  const text = formatAddress(addr);
  if (port === 0) any.add(`${text} . ${protocol}`);
  else ports.add(`${text} . ${protocol} . ${port}`);
  addresses.add(text);
}

/** Addresses inside of quoted packets are raw bytes to nft, and those it reads as numbers only. */
function hexAddress(address: Address): string {
  return `0x${Array.from(addressBytes(address), (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

const hex = (mark: number): string => `0x${(mark >>> 0).toString(16)}`;

function emptySets(): Record<SetName, Set<string>> {
  return {
    vip: new Set(),
    vip_any: new Set(),
    vip_addr: new Set(),
    rip: new Set(),
    rip_any: new Set(),
    rip_addr: new Set(),
    quoted: new Set(),
    all_errors: new Set(),
    fwmarks: new Set(),
    links: new Set(),
    returns: new Set(),
  };
}
