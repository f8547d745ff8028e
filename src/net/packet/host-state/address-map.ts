import { type Address, AF_INET, sameAddress } from '../../../core/address.ts';

interface Entry<T> {
  readonly address: Address;
  readonly value: T;
}

/** Values by address, a bounded number of them; look-ups make no object and no text. */
export class AddressMap<T> {
  private readonly limit: number;
  private readonly v4 = new Map<number, T>();
  /** By the last word, in which addresses of one network differ. */
  private readonly v6 = new Map<number, Entry<T>[]>();
  private v6Size = 0;

  /** @param limit of entries per family; one more empties the family's */
  constructor(limit: number) {
    this.limit = limit;
  }

  get(address: Address): T | undefined {
    if (address.family === AF_INET) return this.v4.get(address.words[0]);
    const candidates = this.v6.get(address.words[3]);
    if (candidates === undefined) return undefined;
    for (const each of candidates) if (sameAddress(each.address, address)) return each.value;
    return undefined;
  }

  set(address: Address, value: T): void {
    if (address.family === AF_INET) {
      if (this.v4.size >= this.limit && !this.v4.has(address.words[0])) this.v4.clear();
      this.v4.set(address.words[0], value);
      return;
    }
    this.delete(address);
    if (this.v6Size >= this.limit) this.clearV6();
    const key = address.words[3];
    const others = this.v6.get(key);
    if (others) others.push({ address, value });
    else this.v6.set(key, [{ address, value }]);
    this.v6Size++;
  }

  clear(): void {
    this.v4.clear();
    this.clearV6();
  }

  private delete(address: Address): void {
    const candidates = this.v6.get(address.words[3]);
    const index = candidates?.findIndex((each) => sameAddress(each.address, address)) ?? -1;
    if (index < 0) return;
    candidates!.splice(index, 1);
    this.v6Size--;
  }

  private clearV6(): void {
    this.v6.clear();
    this.v6Size = 0;
  }
}
