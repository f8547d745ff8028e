import { errnoText } from '../device-error.ts';

/** What has passed a device. */
export class DeviceCounters {
  /** Packets read. */
  reads = 0;
  /** Packets written. */
  writes = 0;
  /** Times that the loop woke us. */
  batches = 0;
  /** System calls that each carried many packets. */
  rounds = 0;
  /** Without virtio headers. */
  bytesRead = 0;
  bytesWritten = 0;
  private readonly failedReads = new Map<number, number>();
  private readonly failedWrites = new Map<number, number>();

  /** @param result bytes written with the virtio header, or -errno */
  wrote(result: number, headerBytes: number): void {
    if (result < 0) {
      countError(this.failedWrites, -result);
      return;
    }
    this.writes++;
    this.bytesWritten += result - headerBytes;
  }

  /** As `wrote`, of packets that were written as one. @param bytes of all of them */
  wroteTogether(result: number, packets: number, bytes: number): void {
    if (result < 0) {
      countError(this.failedWrites, -result, packets);
      return;
    }
    this.writes += packets;
    this.bytesWritten += bytes;
  }

  /** @param length bytes of a packet */
  read(length: number): void {
    this.reads++;
    this.bytesRead += length;
  }

  readFailed(errno: number): void {
    countError(this.failedReads, errno);
  }

  /** As `uipvs status` shows them. */
  report(): Readonly<Record<string, number>> {
    const failed = (verb: string, counts: Readonly<Record<string, number>>): [string, number][] =>
      Object.entries(counts).map(([errno, count]) => [`device_${verb}_${errno.toLowerCase()}`, count]);
    return {
      device_reads: this.reads,
      device_writes: this.writes,
      device_wakes: this.batches,
      device_rounds: this.rounds,
      ...Object.fromEntries([
        ...failed('read_failed', this.readErrors()),
        ...failed('write_failed', this.writeErrors()),
      ]),
    };
  }

  /** Packets that could not be written, by the errno's name. */
  writeErrors(): Readonly<Record<string, number>> {
    return byName(this.failedWrites);
  }

  /** Reads that brought no packet though one was there, by the errno's name. */
  readErrors(): Readonly<Record<string, number>> {
    return byName(this.failedReads);
  }
}

function countError(counts: Map<number, number>, errno: number, packets = 1): void {
  counts.set(errno, (counts.get(errno) ?? 0) + packets);
}

const byName = (counts: ReadonlyMap<number, number>): Record<string, number> =>
  Object.fromEntries([...counts].map(([errno, count]) => [errnoText(errno), count]));
