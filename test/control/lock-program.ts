import { closeSync, openSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { LockHeld, takeLock } from '../../src/control/lock.ts';

/*
 * Takes a lock as soon as it can, checks that nobody else has it, and dies without giving it back.
 * Status 3: somebody else had it too.
 */
const dir = process.argv[2]!;

function attempt(): void {
  try {
    takeLock(dir, 'test');
  } catch (error) {
    if (!(error instanceof LockHeld)) throw error;
    setTimeout(attempt, 1);
    return;
  }
  const inside = join(dir, 'inside');
  try {
    closeSync(openSync(inside, 'wx'));
  } catch {
    process.exit(3);
  }
  setTimeout(() => {
    unlinkSync(inside);
    process.kill(process.pid, 'SIGKILL');
  }, 2);
}

attempt();
