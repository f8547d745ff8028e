import { fdatasync, fdatasyncSync, ftruncateSync, writeSync } from 'node:fs';

/** The system calls of the state file; each throws Node's error. */
export interface StateIo {
  /** @returns how many bytes were written. */
  write(fd: number, bytes: Uint8Array): number;
  truncate(fd: number, sizeBytes: number): void;
  sync(fd: number): void;
  syncInBackground(fd: number, done: (error: Error | null) => void): void;
}

export const FILE_IO: StateIo = {
  write: (fd, bytes) => writeSync(fd, bytes),
  truncate: ftruncateSync,
  sync: fdatasyncSync,
  syncInBackground: fdatasync,
};

/** Writes all of `bytes`; the write after a short one tells why it was short. */
export function writeAll(io: StateIo, fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += io.write(fd, bytes.subarray(at));
}
