/**
 * Packets of a relayed TCP flow, which sockets do not show. Payload bytes are exact; packets are estimated so:
 *
 *   handshake            in 2 (SYN, ACK), out 1 (SYN+ACK)
 *   data read at once    one per full segment of 1448 bytes, at least 1, in the direction of the data
 *   end of stream, reset 1 each, in their direction
 *
 * Acknowledgements without data, retransmissions and headers are not counted.
 */
export const SYN_PACKETS = 1;
export const ACK_PACKETS = 1;
export const FIN_PACKETS = 1;
export const RST_PACKETS = 1;

/** Payload of a full segment: MTU 1500 less IPv4 and TCP headers with the time-stamp option. */
const SEGMENT_BYTES = 1448;

/** @returns how many packets `bytes` read at once probably came in. */
export function dataPackets(bytes: number): number {
  return bytes <= SEGMENT_BYTES ? 1 : Math.ceil(bytes / SEGMENT_BYTES);
}
