import type { StatLayout } from './abi.ts';

const S_IFREG = 0o100000;
const S_IFDIR = 0o040000;
/** Of files in /proc. */
const BLOCK_BYTES = 1024;
/** STATX_BASIC_STATS. */
const STATX_MASK = 0x7ff;
const STATX_LEN = 256;

/** What stat() says of an emulated file; it is root's and has length 0, as all in /proc. */
export interface FileStatus {
  readonly isDirectory: boolean;
  /** Permission bits. */
  readonly permissions: number;
}

/** @returns a struct stat. */
export function statBytes(layout: StatLayout, status: FileStatus): Uint8Array {
  const bytes = new Uint8Array(layout.size);
  const view = new DataView(bytes.buffer);
  view.setUint32(layout.mode, modeOf(status), true);
  view.setUint32(layout.nlink, 1, true);
  view.setUint32(layout.blksize, BLOCK_BYTES, true);
  return bytes;
}

/** @returns a struct statx. */
export function statxBytes(status: FileStatus): Uint8Array {
  const bytes = new Uint8Array(STATX_LEN);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, STATX_MASK, true);
  view.setUint32(4, BLOCK_BYTES, true);
  view.setUint32(16, 1, true);
  view.setUint16(28, modeOf(status), true);
  return bytes;
}

const modeOf = ({ isDirectory, permissions }: FileStatus): number =>
  (isDirectory ? S_IFDIR : S_IFREG) | permissions;
