import { constants } from 'node:os';

/** Linux errno numbers that Node's own table lacks, and the better known names of those that have two. */
const OWN_NAMES = { EAGAIN: 11, EBADFD: 77, EOPNOTSUPP: 95, EHOSTDOWN: 112 };

const NAMES = new Map(
  [...Object.entries(constants.errno), ...Object.entries(OWN_NAMES)].map(([name, errno]) => [errno, name]),
);

/** An operation on a device, a socket or the kernel that failed: one line that says what, why and what would help. */
export class DeviceError extends Error {
  override readonly name = 'DeviceError';
  /** The errno's name; 'EIO' where the cause has none. */
  readonly code: string;

  /**
   * @param operation what was tried
   * @param cause -errno, or the reason in words
   * @param help what would help
   */
  constructor(operation: string, cause: number | string, help?: string) {
    const reason = typeof cause === 'number' ? errnoText(-cause) : cause;
    super(`${operation}: ${reason}${help === undefined ? '' : `; ${help}`}`);
    this.code = typeof cause === 'number' ? reason : 'EIO';
  }
}

/** @returns the name of a Linux errno number, or 'errno N' for one without a name here. */
export function errnoText(errno: number): string {
  return NAMES.get(errno) ?? `errno ${errno}`;
}

/**
 * @returns -errno of an error that Node threw for a failed system call
 * @throws the error itself if it is of another kind
 */
export function negativeErrno(error: unknown): number {
  if (error instanceof Error && 'errno' in error && typeof error.errno === 'number') return error.errno;
  throw error;
}
