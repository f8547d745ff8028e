import { type Address, AF_INET } from '../../core/address.ts';
import { HOOK, type Hook } from '../../core/verdict.ts';
import { AddressSet } from './address-set.ts';
import { ownAddresses } from './own-addresses.ts';

/** Tells which way a packet was going when it was captured: to this host, from it, or through it. */
export class Locality {
  /** Addresses of virtual services, whether the host has them or not. */
  readonly virtual = new AddressSet();
  private readonly own = new AddressSet();
  private isStale = true;

  /** Reads the host's addresses again if they may have changed. */
  refresh(): void {
    if (!this.isStale) return;
    this.isStale = false;
    this.own.clear();
    for (const address of ownAddresses()) this.own.add(address);
  }

  /** To be called when addresses may have changed. */
  forget(): void {
    this.isStale = true;
  }

  isOwn(address: Address): boolean {
    return (address.family === AF_INET && address.words[0] >>> 24 === 127) || this.own.has(address);
  }

  /** @param isMarked it came by its firewall mark: marks are for packets that are to end here */
  hookOf(src: Address, dst: Address, isMarked: boolean): Hook {
    if (this.isOwn(src)) return HOOK.LOCAL_OUT;
    return isMarked || this.isOwn(dst) || this.virtual.has(dst) ? HOOK.LOCAL_IN : HOOK.FORWARD;
  }
}
