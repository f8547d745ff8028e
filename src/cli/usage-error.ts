/** Exit statuses of ipvsadm. */
export const EXIT = {
  OK: 0,
  /** A listing could not be made. */
  LIST_FAILED: 1,
  /** Refused by ipvsadm itself. */
  REFUSED: 2,
  /** -1 as a status: refused by the kernel, or a word that no option can be made of. */
  FAILED: 255,
} as const;

/**
 * A command line that is refused before anybody is asked. The message is what ipvsadm prints, without the final
 * newline.
 */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly status: number;
  /** Whether a restore ends here. */
  readonly stopsRestore: boolean;
  constructor(message: string, status: number, stopsRestore = true) {
    super(message);
    this.status = status;
    this.stopsRestore = stopsRestore;
  }
}

/** A refusal in ipvsadm's own words. */
export const refuse = (message: string): UsageError => new UsageError(message, EXIT.REFUSED);

/** No command, or an unknown one. */
export const tryHelp = (): UsageError =>
  new UsageError("Try `ipvsadm -h' or 'ipvsadm --help' for more information.", EXIT.FAILED);
