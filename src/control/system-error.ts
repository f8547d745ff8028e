/** An operation on the system that failed: what was tried, why, and what would help. One line. */
export class SystemError extends Error {
  override readonly name: string = 'SystemError';
  /**
   * @param operation what was tried
   * @param cause an error of Node's, of which the errno name is shown, or the reason in words
   * @param help what would help
   */
  constructor(operation: string, cause: unknown, help?: string) {
    const reason = typeof cause === 'string' ? cause : errorCode(cause);
    super(`${operation}: ${reason}${help === undefined ? '' : `; ${help}`}`, { cause });
  }
}

/** @returns the errno name of an error of Node's, or 'EIO' if it has none. */
export function errorCode(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : 'EIO';
}
