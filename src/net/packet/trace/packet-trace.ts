import { parseFilter, type TraceFilter } from './filter.ts';
import type { TraceOptions } from './option.ts';
import { emitInterface, emitPacket, emitSection, PACKET_BLOCK_LIMIT, PACKET_DIRECTION } from './pcapng.ts';
import { TraceFile, TraceFileError } from './trace-file.ts';

/** Holds what is written at once: several packets of the greatest length, or thousands of ordinary ones. */
const BUFFER_BYTES = 2 * PACKET_BLOCK_LIMIT;
const INTERFACE_NAME = 'uipvs';
const INTERFACE_DESCRIPTION = 'inbound: as it reached the director; outbound: as it left';

/** Where in its way through the director a packet is recorded: before it is rewritten, or after. */
export type TracePhase = 'in' | 'out';

/**
 * Records packets with the director's decisions into a pcapng file. Nothing here throws once it is open: a file that can
 * no longer be written ends the trace, with one line for people, and the packets go on.
 */
export class PacketTrace {
  /** Packets recorded so far; those before and after rewriting count one each. */
  packets = 0;
  private readonly file: TraceFile;
  private readonly filter: TraceFilter | undefined;
  private readonly log: (line: string) => void;
  private readonly buffer = new Uint8Array(BUFFER_BYTES);
  private used = 0;
  private ended = false;
  /** Whether the last packet was recorded as it came in. */
  private follows = false;

  /**
   * @param application who writes, for the file's head
   * @param log takes a line for people
   * @throws TraceFileError if the file cannot be made; RangeError if the filter cannot be read
   */
  constructor(options: TraceOptions, application: string, log: (line: string) => void) {
    this.filter = options.filter === undefined ? undefined : parseFilter(options.filter);
    this.log = log;
    const { buffer } = this;
    const section = emitSection(buffer, 0, application);
    const end = emitInterface(buffer, section, INTERFACE_NAME, INTERFACE_DESCRIPTION);
    this.file = new TraceFile(options.path, options.maxBytes, buffer.slice(0, end));
  }

  /**
   * Records a packet if the filter takes it. One that was taken as it came in is taken as it leaves too, whatever its
   * addresses are then: call with 'in', then with 'out' for what became of that packet.
   * @param bytes copied
   * @param comment for people; a function is only called for a packet that is recorded
   * @param nowNs nanoseconds since 1970, see `wallClockNs`
   */
  record(
    bytes: Uint8Array,
    at: number,
    length: number,
    phase: TracePhase,
    comment: string | (() => string),
    nowNs: bigint,
  ): void {
    if (this.ended) return;
    const isWanted = this.filter?.matches(bytes, at, length) ?? true;
    if (phase === 'in') this.follows = isWanted;
    if (!isWanted && !this.follows) return;
    if (this.used + PACKET_BLOCK_LIMIT > BUFFER_BYTES) this.flush();
    this.used = emitPacket(this.buffer, this.used, {
      bytes,
      at,
      length,
      interfaceId: 0,
      direction: phase === 'in' ? PACKET_DIRECTION.INBOUND : PACKET_DIRECTION.OUTBOUND,
      comment: typeof comment === 'string' ? comment : comment(),
      timestampNs: nowNs,
    });
    this.packets++;
  }

  /** Writes what is recorded; to be called at the end of each batch of packets. */
  flush(): void {
    const { used } = this;
    this.used = 0;
    if (used === 0 || this.ended) return;
    try {
      this.file.write(this.buffer.subarray(0, used));
    } catch (error) {
      if (!(error instanceof TraceFileError)) throw error;
      this.ended = true;
      this.log(`${error.message}; no more packets are recorded`);
    }
  }

  close(): void {
    this.flush();
    this.ended = true;
    this.file.close();
  }
}

/** @returns nanoseconds since 1970, which rise steadily: the clock of the wall was read at the start of this thread */
export const wallClockNs = (): bigint => ORIGIN_NS + process.hrtime.bigint();

const ORIGIN_NS = BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint();
