import { setTimeout as sleep } from 'node:timers/promises';
import { directorProcess } from '../control/director-lock.ts';
import { processPaths, runtimeDir } from '../control/paths.ts';
import { isRunning, type ProcessId } from '../control/process-id.ts';
import { SystemError } from '../control/system-error.ts';
import { expectPositionals, parseVerbArgs, UsageError } from './arguments.ts';
import type { Terminal } from './terminal.ts';

const POLL_MS = 20;

/** `uipvs down [--timeout SEC]`: only the director of this user's own runtime directory. */
export async function runDown(args: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals } = parseVerbArgs('down', args, { timeout: { type: 'string', default: '60' } });
  expectPositionals('down', positionals, 0);
  if (!/^\d{1,6}$/.test(values.timeout)) throw new UsageError('down: --timeout takes seconds');
  const dir = runtimeDir(processPaths()).path;
  const director = directorProcess(dir);
  if (!director) {
    await terminal.print(`no director runs in ${dir}\n`);
    return 0;
  }
  stop(director, dir);
  const deadline = performance.now() + Number(values.timeout) * 1000;
  while (isRunning(director)) {
    if (performance.now() > deadline) {
      throw new SystemError(`stop pid ${director.pid}`, `it still runs after ${values.timeout} s`);
    }
    await sleep(POLL_MS);
  }
  await terminal.print(`director in ${dir} stopped\n`);
  return 0;
}

function stop(director: ProcessId, dir: string): void {
  if (isRunning(director) === undefined) {
    throw new SystemError(`stop the director in ${dir}`, 'it runs in another pid namespace', 'stop it there');
  }
  try {
    process.kill(director.pid, 'SIGTERM');
  } catch (error) {
    throw new SystemError(`stop pid ${director.pid}`, error);
  }
}
