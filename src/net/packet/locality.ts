import { networkInterfaces } from 'node:os';
import { type Address, AF_INET, parseAddress } from '../../core/address.ts';
import { HOOK, type Hook } from '../../core/verdict.ts';
import { AddressSet } from './address-set.ts';

/** How long the host's addresses are taken to be the same without being told. */
const CACHE_MS = 1000;

/** Tells which way a packet was going when it was captured: to this host, from it, or through it. */
export class Locality {
  /** Addresses of virtual services, whether the host has them or not. */
  readonly virtual = new AddressSet();
  private readonly own = new AddressSet();
  private readAt = Number.NEGATIVE_INFINITY;

  /** Reads the host's addresses again if that is due. @param now ms */
  refresh(now: number): void {
    if (now - this.readAt < CACHE_MS) return;
    this.readAt = now;
    this.own.clear();
    for (const { address } of Object.values(networkInterfaces()).flatMap((each) => each ?? [])) {
      const parsed = parseAddress(address.replace(/%.*/, ''));
      if (parsed) this.own.add(parsed);
    }
  }

  /** To be called when addresses may have changed. */
  forget(): void {
    this.readAt = Number.NEGATIVE_INFINITY;
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
