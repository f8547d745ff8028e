import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { directorProcess } from '../control/director-lock.ts';
import { processPaths } from '../control/paths.ts';
import { isRunning } from '../control/process-id.ts';
import { startDirector, UNTIL_EOF } from '../control/start.ts';

const START_MS = 30_000;
const STOP_MS = 15_000;
const POLL_MS = 10;

/** A director for one command, with a directory of its own that ends with it. A command that is killed takes it along. */
export class PrivateDirector {
  readonly runtimeDir: string;
  private readonly dir: string;

  private constructor(dir: string) {
    this.dir = dir;
    this.runtimeDir = join(dir, 'run');
  }

  /** @param args of `uipvs daemon`. @throws SystemError */
  static async start(args: readonly string[]): Promise<PrivateDirector> {
    const director = new PrivateDirector(mkdtempSync(join(tmpdir(), 'uipvs-private-')));
    const env = { UIPVS_RUNTIME_DIR: director.runtimeDir, UIPVS_STATE_DIR: join(director.dir, 'state') };
    try {
      await startDirector({ ...processPaths(), env }, [...args, UNTIL_EOF], START_MS);
    } catch (error) {
      director.remove();
      throw error;
    }
    return director;
  }

  /** Process number; `undefined` if it has ended. */
  get pid(): number | undefined {
    return directorProcess(this.runtimeDir)?.pid;
  }

  async stop(): Promise<void> {
    const director = directorProcess(this.runtimeDir);
    if (director) {
      process.kill(director.pid, 'SIGTERM');
      const end = performance.now() + STOP_MS;
      while (isRunning(director) && performance.now() < end) await sleep(POLL_MS);
    }
    this.remove();
  }

  private remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}
