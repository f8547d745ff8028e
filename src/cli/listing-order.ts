import type { Address } from '../core/address.ts';
import type { DestEntry, ServiceEntry, ServiceKey } from '../core/config.ts';

/** A service with its servers, as a listing shows them. */
export interface ListedService {
  readonly service: ServiceEntry;
  readonly dests: readonly DestEntry[];
}

type Compare<T> = (a: T, b: T) => number;

/** Services by fwmark, family, protocol, address and port; servers by address and port. */
export function sortListing(listing: readonly ListedService[]): ListedService[] {
  return mergeSort(listing, (a, b) => compareServices(a.service, b.service)).map(({ service, dests }) => ({
    service,
    dests: mergeSort(dests, compareEndpoints),
  }));
}

/**
 * Sorts as the C library's qsort(3) does where memory is no concern: by merging halves, the first one being the
 * smaller. The comparison below is no total order, so the algorithm shows.
 */
export function mergeSort<T>(items: readonly T[], compare: Compare<T>): T[] {
  const sorted = [...items];
  sortRange(sorted, 0, sorted.length, compare, [...items]);
  return sorted;
}

/** Sorts `count` items from `start`; of `spare` as much is overwritten. */
function sortRange<T>(items: T[], start: number, count: number, compare: Compare<T>, spare: T[]): void {
  if (count <= 1) return;
  const half = count >> 1;
  const middle = start + half;
  const end = start + count;
  sortRange(items, start, half, compare, spare);
  sortRange(items, middle, count - half, compare, spare);
  let left = start;
  let right = middle;
  let filled = 0;
  while (left < middle && right < end) {
    spare[filled++] = compare(items[left]!, items[right]!) <= 0 ? items[left++]! : items[right++]!;
  }
  // What is left of the second half is in its place already.
  items.copyWithin(right - (middle - left), left, middle);
  for (let i = 0; i < filled; i++) items[start + i] = spare[i]!;
}

function compareServices(a: ServiceKey, b: ServiceKey): number {
  return (
    int32Difference(a.fwmark, b.fwmark) ||
    a.family - b.family ||
    comparedProtocol(a) - comparedProtocol(b) ||
    compareEndpoints(a, b)
  );
}

/** A fwmark service has no protocol. */
const comparedProtocol = (service: ServiceKey): number => (service.fwmark === 0 ? service.protocol : 0);

function compareEndpoints(
  a: { readonly addr: Address; readonly port: number },
  b: { readonly addr: Address; readonly port: number },
): number {
  const left = a.addr.words;
  const right = b.addr.words;
  return (
    int32Difference(left[0], right[0]) ||
    int32Difference(left[1], right[1]) ||
    int32Difference(left[2], right[2]) ||
    int32Difference(left[3], right[3]) ||
    a.port - b.port
  );
}

/** The difference as a 32-bit signed number, which overflows. */
const int32Difference = (a: number, b: number): number => (a - b) | 0;
