import { type Address, AF_INET, sameAddress } from '../../core/address.ts';

/** Addresses to be found by their words, as a packet has them; look-ups make no object. */
export class AddressSet {
  private readonly v4 = new Set<number>();
  /** By the last word, in which addresses of one network differ. */
  private readonly v6 = new Map<number, Address[]>();

  add(address: Address): void {
    if (this.has(address)) return;
    if (address.family === AF_INET) {
      this.v4.add(address.words[0]);
      return;
    }
    const key = address.words[3];
    const others = this.v6.get(key);
    if (others) others.push(address);
    else this.v6.set(key, [address]);
  }

  has(address: Address): boolean {
    if (address.family === AF_INET) return this.v4.has(address.words[0]);
    const candidates = this.v6.get(address.words[3]);
    if (candidates === undefined) return false;
    for (const each of candidates) if (sameAddress(each, address)) return true;
    return false;
  }

  clear(): void {
    this.v4.clear();
    this.v6.clear();
  }
}
