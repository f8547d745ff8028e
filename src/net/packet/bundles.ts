import { UDP_HEADER_LEN } from '../../core/wire/udp.ts';
import { BUNDLE, bundleHeader, flowHash, isSameFlow, sealBundle } from '../../forwarders/bundle.ts';
import type { Arena } from '../ffi/native.ts';
import { VNET_BYTES } from './drain.ts';

/** Bundles that are collected or wait to be written, at most. */
const MOST = 64;
/** Flows that are told apart at a time; a power of two. */
const FLOWS = 32;
const NONE = -1;

/** A struct iovec: address and length, of 64 bits each. */
const VECTOR_WORDS = 4;
const VECTORS_BYTES = BUNDLE.MOST_DATAGRAMS * VECTOR_WORDS * 4;
/** Memory for the vectors of all bundles. */
export const BUNDLES_BYTES = MOST * VECTORS_BYTES;

const PER_TWO_TO_32 = 2 ** -32;

/**
 * Collects datagrams that wait to be written, those of one flow together, as arrays of struct iovec. Flows stay in the order of
 * their first datagrams, datagrams of a flow in theirs. Nothing is copied: datagrams have to stay where they are until
 * their bundles are written.
 */
export class Bundles {
  /** The first bundle that was not taken yet, and behind the last: the same where there is none. */
  from = 0;
  next = 0;
  private readonly bytes: Uint8Array;
  private readonly words: Int32Array;
  private readonly address: number;
  private readonly vectorsAt: number;
  /** By bundle: where its first datagram is, its headers' length, payload of each, of all, datagrams and their bytes. */
  private readonly firstAt = new Int32Array(MOST);
  private readonly header = new Int32Array(MOST);
  private readonly eachBytes = new Int32Array(MOST);
  private readonly payloadBytes = new Int32Array(MOST);
  private readonly datagrams = new Int32Array(MOST);
  private readonly wireBytes = new Int32Array(MOST);
  /** The bundle that takes more datagrams of the flows that a hash stands for. */
  private readonly open = new Int32Array(FLOWS).fill(NONE);

  /** @param vectorsAt where in the memory there are BUNDLES_BYTES for us, a multiple of 8 */
  constructor({ address, bytes }: Arena, vectorsAt: number) {
    this.bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
    this.words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
    this.address = address;
    this.vectorsAt = vectorsAt;
  }

  /**
   * @param at where the IP header is in the memory, its virtio header before it
   * @returns false if it is not for a bundle, or there is no room: what was collected has to be written before it
   */
  add(at: number, length: number): boolean {
    const { bytes, words } = this;
    const header = bundleHeader(bytes, words, at, length);
    if (header === 0) return false;
    const payload = length - header - UDP_HEADER_LEN;
    const slot = flowHash(words, at, header) & (FLOWS - 1);
    const bundle = this.open[slot]!;
    if (bundle !== NONE && this.fits(bundle, at, header, payload)) {
      this.append(bundle, at + header + UDP_HEADER_LEN, payload);
      this.wireBytes[bundle]! += length;
      if (payload < this.eachBytes[bundle]!) this.open[slot] = NONE;
      return true;
    }
    if (this.next === MOST) return false;
    this.begin(slot, at, header, payload);
    return true;
  }

  /** How many datagrams a bundle has. One alone is at `placeOf`, as it was. */
  datagramsOf(bundle: number): number {
    return this.datagrams[bundle]!;
  }

  /** Bytes of a bundle's datagrams with their headers. */
  bytesOf(bundle: number): number {
    return this.wireBytes[bundle]!;
  }

  /** Where a bundle's first datagram is. */
  placeOf(bundle: number): number {
    return this.firstAt[bundle]!;
  }

  /** Makes a super-packet of a bundle of several datagrams. @returns the address of its vectors, one for each datagram */
  seal(bundle: number): number {
    const payload = this.payloadBytes[bundle]!;
    sealBundle(this.bytes, this.firstAt[bundle]!, this.header[bundle]!, payload, this.eachBytes[bundle]!);
    return this.address + this.vectorsAt + bundle * VECTORS_BYTES;
  }

  /** The bundles so far get no more datagrams, but keep their vectors. */
  taken(): void {
    this.from = this.next;
    this.open.fill(NONE);
  }

  /** What was taken has been written. */
  written(): void {
    if (this.from !== this.next) return;
    this.from = 0;
    this.next = 0;
  }

  private fits(bundle: number, at: number, header: number, payload: number): boolean {
    return (
      this.header[bundle] === header &&
      payload <= this.eachBytes[bundle]! &&
      this.datagrams[bundle]! < BUNDLE.MOST_DATAGRAMS &&
      this.payloadBytes[bundle]! + payload <= BUNDLE.MOST_BYTES &&
      isSameFlow(this.words, this.firstAt[bundle]!, at, header)
    );
  }

  private begin(slot: number, at: number, header: number, payload: number): void {
    const bundle = this.next++;
    this.firstAt[bundle] = at;
    this.header[bundle] = header;
    this.eachBytes[bundle] = payload;
    this.payloadBytes[bundle] = 0;
    this.datagrams[bundle] = 0;
    this.wireBytes[bundle] = header + UDP_HEADER_LEN + payload;
    this.open[slot] = bundle;
    const before = VNET_BYTES + header + UDP_HEADER_LEN;
    this.append(bundle, at - VNET_BYTES, before + payload);
    this.payloadBytes[bundle]! -= before;
  }

  private append(bundle: number, from: number, length: number): void {
    const { words } = this;
    const vector = ((this.vectorsAt + bundle * VECTORS_BYTES) >> 2) + this.datagrams[bundle]! * VECTOR_WORDS;
    const address = this.address + from;
    // Stored as an int32, a number loses what is above 32 bits.
    words[vector] = address;
    words[vector + 1] = address * PER_TWO_TO_32;
    words[vector + 2] = length;
    words[vector + 3] = 0;
    this.datagrams[bundle]!++;
    this.payloadBytes[bundle]! += length;
  }
}
