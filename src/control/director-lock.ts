import { ClientStream } from './client-stream.ts';
import { type Lock, LockHeld, lockHolder, takeLock } from './lock.ts';
import { socketPath } from './paths.ts';
import type { ProcessId } from './process-id.ts';
import { SystemError } from './system-error.ts';

const NAME = 'director';

/**
 * Takes a runtime directory for this process. A director that is dead, whatever files it left, is no hindrance; one
 * whose life cannot be seen from here (another pid namespace) is alive if its socket answers.
 * @throws SystemError if another director has the directory.
 */
export async function claimRuntimeDir(dir: string): Promise<Lock> {
  const answers = await isAnswering(dir);
  let lock: Lock;
  try {
    lock = takeLock(dir, NAME, () => answers);
  } catch (error) {
    if (!(error instanceof LockHeld)) throw error;
    throw new SystemError(`use ${dir}`, `a director already runs there (pid ${error.holder.pid})`);
  }
  if (!answers) return lock;
  lock.release();
  throw new SystemError(`use ${dir}`, 'a director already runs there');
}

/** @returns the process that holds a runtime directory. */
export const directorProcess = (dir: string): ProcessId | undefined => lockHolder(dir, NAME);

/** Tells whether somebody accepts connections on the directory's socket. */
export async function isAnswering(dir: string): Promise<boolean> {
  try {
    (await ClientStream.open(socketPath(dir))).close();
    return true;
  } catch {
    return false;
  }
}
