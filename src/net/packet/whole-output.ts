import type { Reassembler } from '../../core/reassembly.ts';
import { fragment } from '../../core/wire/fragment.ts';
import { MAX_TUNNEL_OVERHEAD } from '../../forwarders/encapsulate.ts';
import { VNET_HEADER_LEN } from '../../forwarders/vnet-header.ts';
import { PacketInHand } from './packet-in-hand.ts';

const AT = MAX_TUNNEL_OVERHEAD + VNET_HEADER_LEN;
const LARGEST = 65_575;

/** Holds a packet that was put together from fragments, and writes it back to the device in such pieces again. */
export class WholeOutput {
  private readonly packet = new PacketInHand();
  private readonly bytes = new Uint8Array(AT + LARGEST);
  private readonly piece = new Uint8Array(VNET_HEADER_LEN + LARGEST);
  private readonly send: (bytes: Uint8Array, at: number, length: number) => void;
  private id = 0;

  /** @param send queues a packet for the device, its virtio header before it; the bytes are copied */
  constructor(send: (bytes: Uint8Array, at: number, length: number) => void) {
    this.send = send;
    this.packet.bytes = this.bytes;
    this.packet.at = AT;
  }

  /** Copies the packet that has become whole. */
  take(reassembler: Reassembler): PacketInHand {
    const { bytes, packet } = this;
    bytes.fill(0, AT - VNET_HEADER_LEN, AT);
    const { at, length } = reassembler;
    bytes.set(reassembler.bytes.subarray(at, at + length), AT);
    packet.length = length;
    packet.maxFragmentBytes = reassembler.maxFragmentBytes;
    return packet;
  }

  /** @param length bytes of the packet as it has become */
  write(length: number): void {
    const { bytes, piece, packet } = this;
    this.id = (this.id + 1) >>> 0;
    const cut = fragment(bytes, AT, length, packet.maxFragmentBytes, this.id, true, (part, at, size) => {
      piece.set(part.subarray(at, at + size), VNET_HEADER_LEN);
      this.send(piece, VNET_HEADER_LEN, size);
    });
    if (cut < 0) this.send(bytes, AT, length);
  }
}
