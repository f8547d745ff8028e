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
  if (items.length <= 1) return [...items];
  const half = items.length >> 1;
  const left = mergeSort(items.slice(0, half), compare);
  const right = mergeSort(items.slice(half), compare);
  const merged: T[] = [];
  let l = 0;
  let r = 0;
  while (l < left.length && r < right.length) {
    merged.push(compare(left[l]!, right[r]!) <= 0 ? left[l++]! : right[r++]!);
  }
  return [...merged, ...left.slice(l), ...right.slice(r)];
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
  for (let i = 0; i < 4; i++) {
    const difference = int32Difference(a.addr.words[i]!, b.addr.words[i]!);
    if (difference !== 0) return difference;
  }
  return a.port - b.port;
}

/** The difference as a 32-bit signed number, which overflows. */
const int32Difference = (a: number, b: number): number => (a - b) | 0;
