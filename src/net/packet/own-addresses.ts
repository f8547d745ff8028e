import { networkInterfaces } from 'node:os';
import { type Address, parseAddress } from '../../core/address.ts';

/** @returns the addresses of the host's interfaces, of both families */
export function ownAddresses(): Address[] {
  return Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .flatMap(({ address }) => parseAddress(address.replace(/%.*/, '')) ?? []);
}
