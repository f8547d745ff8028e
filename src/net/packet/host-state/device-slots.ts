import { DEVICE_SLOTS, MAIN_DEVICE, MARK_BASE } from './names.ts';

/** Gives each device of the director a number that is both its capture mark and its routing table. */
export class DeviceSlots {
  private readonly slots = new Map<string, number>([[MAIN_DEVICE, 0]]);

  /** The number of a device; the same one for the same name until it is released. */
  numberOf(device: string): number {
    const slot = this.slots.get(device) ?? this.firstFree();
    this.slots.set(device, slot);
    return MARK_BASE + slot;
  }

  release(device: string): void {
    if (device !== MAIN_DEVICE) this.slots.delete(device);
  }

  private firstFree(): number {
    const taken = new Set(this.slots.values());
    for (let slot = 0; slot < DEVICE_SLOTS; slot++) if (!taken.has(slot)) return slot;
    throw new Error(`more than ${DEVICE_SLOTS} devices`);
  }
}
