import { closeSync } from 'node:fs';
import { DeviceError } from '../../device-error.ts';
import { attachProgram, createMap, deleteFromMap, loadProgram, updateMap } from './bpf.ts';
import { captureCode } from './capture-code.ts';
import { type CaptureEntries, KEY, MOST_ENTRIES } from './capture-map.ts';

const NAME = 'uipvs_capture';

/** Index of the loopback device in every network namespace. */
const LOOPBACK = 1;

/**
 * The capturing program on devices of the host. It and its map live as long as their descriptors: nothing of them is left
 * when the process ends, however it does.
 */
export class Redirect {
  private readonly map: number;
  private readonly program: number;
  /** Descriptors by index of the device. */
  private readonly links = new Map<number, number>();
  private entries: CaptureEntries = new Map();

  /**
   * Loads the program, which sees no packets yet.
   * @param device index of the device that it hands packets to
   * @throws DeviceError if this process, or this kernel, cannot attach programs to devices
   */
  constructor(device: number) {
    this.map = createMap(NAME, KEY.BYTES, MOST_ENTRIES);
    try {
      this.program = loadProgram(NAME, captureCode(this.map, device));
    } catch (error) {
      closeSync(this.map);
      throw error;
    }
    try {
      // What comes in by the director's device itself is nothing that the program takes.
      closeSync(attachProgram(this.program, device));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /**
   * Brings the map to what is wanted; the first ones if they are too many.
   * @returns how many there is no room for
   * @throws DeviceError; the redirect is of no use then
   */
  set(wanted: CaptureEntries): number {
    const entries: CaptureEntries =
      wanted.size > MOST_ENTRIES ? new Map([...wanted].slice(0, MOST_ENTRIES)) : wanted;
    const gone = [...this.entries.keys()].filter((key) => !entries.has(key));
    const changed = [...entries].filter(([key, value]) => this.entries.get(key) !== value);
    if (gone.length > 0) deleteFromMap(this.map, bytesOf(gone), gone.length);
    if (changed.length > 0) {
      const values = Uint32Array.from(changed, ([, value]) => value);
      updateMap(this.map, bytesOf(changed.map(([key]) => key)), values);
    }
    this.entries = entries;
    return wanted.size - entries.size;
  }

  /** Does nothing if the program sees the packets of this device. @throws DeviceError */
  attach(index: number): void {
    if (!this.links.has(index)) this.links.set(index, attachProgram(this.program, index));
  }

  detach(index: number): void {
    const link = this.links.get(index);
    if (link === undefined) return;
    this.links.delete(index);
    closeSync(link);
  }

  /** Indices of the devices whose packets the program sees. */
  devices(): readonly number[] {
    return [...this.links.keys()];
  }

  close(): void {
    for (const index of this.devices()) this.detach(index);
    closeSync(this.program);
    closeSync(this.map);
  }
}

/**
 * Tries whether programs can be attached, without leaving one.
 * @returns what stands against it in one line, `undefined` if nothing does
 */
export function tcxObstacle(): string | undefined {
  try {
    new Redirect(LOOPBACK).close();
    return undefined;
  } catch (error) {
    if (error instanceof DeviceError) return error.message;
    throw error;
  }
}

const bytesOf = (keys: readonly string[]): Uint8Array => Buffer.from(keys.join(''), 'latin1');
