import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { directorProcess, isAnswering } from './director-lock.ts';
import { installedFile } from './installation.ts';
import { logPath, type PathContext, prepareRuntimeDir, prepareStateDir } from './paths.ts';
import { SystemError } from './system-error.ts';

const POLL_MS = 20;

/** An option of `uipvs daemon`: the director ends with the process that started it. */
export const UNTIL_EOF = '--until-eof';

export interface Started {
  /** False: one was running already. */
  readonly started: boolean;
  readonly runtimeDir: string;
  /** What people should know of the place of the state; undefined if nothing. */
  readonly warning: string | undefined;
}

/** A director that was started and ended before it answered. */
export class DirectorEnded extends SystemError {
  override readonly name = 'DirectorEnded';
  /** Its exit status. */
  readonly status: number;
  constructor(status: number, lastWords: string | undefined, log: string) {
    super('start the director', lastWords ?? `it ended with status ${status}`, `see ${log}`);
    this.status = status;
  }
}

/**
 * Starts a director in the background and waits until it answers; one that runs already is left as it is.
 * @param args of `uipvs daemon`
 * @throws DirectorEnded with the director's own words, or SystemError if it does not come up.
 */
export async function startDirector(
  context: PathContext,
  args: readonly string[],
  timeoutMs: number,
): Promise<Started> {
  const runtimeDir = prepareRuntimeDir(context);
  if (await isAnswering(runtimeDir)) return { started: false, runtimeDir, warning: undefined };
  const state = prepareStateDir(context);
  const child = await spawnDirector(logPath(state.path), args, { runtimeDir, stateDir: state.path });
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    if (await isAnswering(runtimeDir)) {
      return { started: directorProcess(runtimeDir)?.pid === child.pid, runtimeDir, warning: state.warning };
    }
    // A rival that was started at the same time has the lock: the wait is for its socket then.
    if (child.status !== undefined && directorProcess(runtimeDir) === undefined) {
      throw new DirectorEnded(child.status, child.lastWords(), child.log);
    }
    if (performance.now() > deadline) {
      const reason = `no answer within ${timeoutMs / 1000} s`;
      throw new SystemError('start the director', reason, `see ${child.log}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

interface Child {
  readonly pid: number | undefined;
  readonly log: string;
  /** undefined while it runs. */
  readonly status: number | undefined;
  /** The last line that it wrote, without the program's name. */
  lastWords(): string | undefined;
}

async function spawnDirector(
  log: string,
  args: readonly string[],
  dirs: { readonly runtimeDir: string; readonly stateDir: string },
): Promise<Child> {
  // Clients load this module's folder, and most of them never start anything.
  const { spawn } = await import('node:child_process');
  const fd = openSync(log, 'a', 0o600);
  const offset = fstatSync(fd).size;
  const process_ = spawn(process.execPath, [installedFile('bin/uipvs'), 'daemon', ...args], {
    detached: true,
    stdio: [args.includes(UNTIL_EOF) ? 'pipe' : 'ignore', fd, fd],
    env: {
      ...process.env,
      // Node would load them at its start, for nothing.
      NODE_EXTRA_CA_CERTS: undefined,
      UIPVS_RUNTIME_DIR: dirs.runtimeDir,
      UIPVS_STATE_DIR: dirs.stateDir,
    },
  });
  closeSync(fd);
  let status: number | undefined;
  process_.once('error', () => {
    status = 70;
  });
  process_.once('exit', (code) => {
    status = code ?? 70;
  });
  process_.unref();
  // Held open until this process ends, however it does.
  (process_.stdin as Socket | null)?.unref();
  return {
    pid: process_.pid,
    log,
    get status() {
      return status;
    },
    lastWords: () => {
      const lines = readFileSync(log).subarray(offset).toString('utf8').trimEnd().split('\n');
      return lines.at(-1)?.replace(/^uipvs: /, '') || undefined;
    },
  };
}
