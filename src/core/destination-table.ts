import type { DestConfig } from './config.ts';
import { Destination } from './destination.ts';
import type { Service } from './service.ts';

/** Destinations by the slot that connection entries store; slots are used again after `free`. */
export class DestinationTable {
  private readonly slots: (Destination | undefined)[] = [];
  private readonly freeSlots: number[] = [];

  create(service: Service, config: DestConfig): Destination {
    const slot = this.freeSlots.pop() ?? this.slots.length;
    const dest = new Destination(slot, service, config);
    this.slots[slot] = dest;
    return dest;
  }

  /** @param slot -1 gives `undefined` */
  at(slot: number): Destination | undefined {
    return this.slots[slot];
  }

  free(dest: Destination): void {
    this.slots[dest.slot] = undefined;
    this.freeSlots.push(dest.slot);
  }
}
