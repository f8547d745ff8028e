import { PacketView } from '../../core/packet-view.ts';
import { HOOK, type Hook } from '../../core/verdict.ts';

/** A packet and what is known of it beside its bytes; one object that is written again for each packet. */
export class PacketInHand {
  bytes: Uint8Array = new Uint8Array(0);
  /** Where the IP header starts; the virtio header stands before it. */
  at = 0;
  length = 0;
  hook: Hook = HOOK.LOCAL_IN;
  /** Put together from fragments; the largest of them had this many bytes. 0 for a packet that came whole. */
  maxFragmentBytes = 0;
  readonly view = new PacketView();
}
