import { AF_INET, AF_INET6, type Family } from '../../../core/address.ts';

export const FAMILIES: readonly Family[] = [AF_INET, AF_INET6];

/** nft's words. */
export const NFT_FAMILY = { [AF_INET]: 'ip', [AF_INET6]: 'ip6' } as const;

/** Options of the ip program. */
export const IP_OPTION = { [AF_INET]: '-4', [AF_INET6]: '-6' } as const;
