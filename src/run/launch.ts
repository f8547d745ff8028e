import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { getSystemErrorName } from 'node:util';
import { Worker } from 'node:worker_threads';
import { NoDirector } from '../control/client.ts';
import { processPaths } from '../control/paths.ts';
import { errorCode, SystemError } from '../control/system-error.ts';
import { DeviceError } from '../net/device-error.ts';
import { type Native, native as openNative } from '../net/ffi/native.ts';
import { type Architecture, architectureOf, E } from './abi.ts';
import { AdoptedChildren } from './children.ts';
import { DescriptorLimit } from './descriptor-limit.ts';
import { candidateSockets, connectUnix } from './director-link.ts';
import { type DescriptorWindow, makeFilter, type ProcMode, windowBelow } from './filter.ts';
import { hasProc, installFilter, ListenerExists } from './install-filter.ts';
import { PrivateDirector } from './private-director.ts';
import { Shared, type SupervisorData, WANTED, type Wanted, type Watch } from './shared.ts';
import { endLike, forwardSignals } from './signals.ts';

/** Set for wrapped programs. */
const MARK = 'UIPVS_RUN';
/** How often daemons that the command left are looked for. */
const WATCH_MS = 250;
const NOT_EXECUTABLE = 126;
const NOT_FOUND = 127;

export interface RunOptions {
  readonly command: readonly string[];
  readonly proc: ProcMode;
  /** Whether to stay until the last process that the command started has ended. */
  readonly wait: boolean;
  /** A director's runtime directory or socket; `undefined`: the usual places. */
  readonly director: string | undefined;
  /** Arguments of `uipvs daemon` for a director of this command alone; `undefined`: one that runs already. */
  readonly privateDirector: readonly string[] | undefined;
  /** One line for people. */
  readonly complain: (line: string) => void;
}

/** Runs a command whose IPVS is the director. @returns its exit status. @throws NoDirector, SystemError */
export async function runWrapped(options: RunOptions): Promise<number> {
  const arch = architectureOf(process.arch);
  if (!arch || process.platform !== 'linux') {
    throw new SystemError('run programs', `not supported on ${process.platform} ${process.arch}`);
  }
  if (!hasProc()) throw new SystemError('run programs', '/proc does not show this process', 'mount it');
  if (!options.privateDirector) return runIn(options, arch, undefined);
  if (process.env[MARK] !== undefined) requireNested({ ...options, director: 'of its own' });
  const own = await PrivateDirector.start(options.privateDirector);
  return runIn({ ...options, director: own.runtimeDir }, arch, own);
}

async function runIn(
  options: RunOptions,
  arch: Architecture,
  own: PrivateDirector | undefined,
): Promise<number> {
  // It has to be there before the filter is: it must not run under it. It starts while the rest is made ready.
  const supervisor = new SupervisorThread({ director: options.director }, options.complain);
  const native = openLibrary();
  const limit = new DescriptorLimit(native, arch);
  const window = windowBelow(limit.soft);
  let end: End;
  try {
    const isOuter = watch(supervisor, () => {
      const filter = makeFilter(arch, window, options.proc);
      return { listener: installFilter(native, arch, filter), window };
    });
    if (isOuter) requireDirector(native, arch, options.director);
    else requireNested(options);
    AdoptedChildren.adopt(native, arch);
    const child = limit.during(() => start(options.command, own));
    end = await follow(child, new AdoptedChildren(native, arch, pidsOf(child.pid, own?.pid)), options);
    if (supervisor.hasFiles) supervisor.finish(native, arch, window);
    await own?.stop();
  } catch (error) {
    await own?.stop();
    supervisor.end(native, arch, window);
    throw error;
  }
  const status = typeof end === 'number' ? end : endLike(end);
  // Node would take its time to end the other thread, which has nothing left to do.
  native.syscall(arch.syscalls.exit_group, status);
  return status;
}

/** @throws SystemError */
function openLibrary(): Native {
  try {
    return openNative();
  } catch (error) {
    if (error instanceof DeviceError) throw new SystemError('run programs', error.message);
    throw error;
  }
}

const pidsOf = (...pids: (number | undefined)[]): ReadonlySet<number> =>
  new Set(pids.filter((pid) => pid !== undefined));

/** @returns whether the calls of programs are watched by us; false: by somebody else already */
function watch(supervisor: SupervisorThread, install: () => Watch): boolean {
  try {
    supervisor.serve(install());
    return true;
  } catch (error) {
    supervisor.cancel();
    if (error instanceof ListenerExists) return false;
    throw error;
  }
}

/** Within a wrapped program the outer command's director serves. @throws SystemError */
function requireNested({ director }: RunOptions): void {
  if (process.env[MARK] === undefined) {
    const help = 'a container runtime or sandbox may be the one';
    throw new SystemError('watch the system calls of programs', 'another program does already', help);
  }
  if (director === undefined) return;
  throw new SystemError(`use the director ${director}`, "this is within 'uipvs run', which has a director");
}

/** The thread that answers the calls of the wrapped programs. */
class SupervisorThread {
  private readonly shared = new Shared();
  private listener = -1;

  /** @param complain told if the thread fails */
  constructor(options: SupervisorData['options'], complain: (line: string) => void) {
    const workerData: SupervisorData = { options, words: this.shared.words };
    const worker = new Worker(new URL('./thread.js', import.meta.url), {
      workerData,
      execArgv: [],
      trackUnmanagedFds: false,
    });
    worker.unref();
    worker.on('error', (error) => {
      complain(`run: internal error: ${error.stack ?? error.message}`);
      this.close();
    });
  }

  serve(watch: Watch): void {
    this.listener = watch.listener;
    this.shared.announce(watch);
  }

  cancel(): void {
    this.shared.announce(undefined);
  }

  /** Whether it has to be ended: something is to be finished. */
  get hasFiles(): boolean {
    return this.shared.hasFiles;
  }

  /** Has the thread finish what was begun; calls of this process pass from then on. */
  finish(native: Native, arch: Architecture, window: DescriptorWindow): void {
    this.tell(WANTED.FINISH, native, arch, window);
  }

  /** Has the thread end, without which this process could not. */
  end(native: Native, arch: Architecture, window: DescriptorWindow): void {
    this.tell(WANTED.END, native, arch, window);
    this.close();
  }

  /** Wakes the thread by a call that it gets to see, and waits until it has done what it is to. */
  private tell(what: Wanted, native: Native, arch: Architecture, window: DescriptorWindow): void {
    this.shared.want(what);
    native.syscall(arch.syscalls.read, window.low, 0, 0);
  }

  /** Calls that are watched fail with ENOSYS from now on: nobody waits for an answer for ever. */
  private close(): void {
    if (this.listener >= 0) closeSync(this.listener);
    this.listener = -1;
  }
}

/** @throws NoDirector */
function requireDirector(native: Native, arch: Architecture, given: string | undefined): void {
  const scratch = native.arena(4096);
  const sockets = candidateSockets(given, processPaths());
  let errno = E.ENOENT as number;
  for (const path of sockets) {
    const fd = connectUnix(native, arch, scratch, path);
    if (fd >= 0) return void native.syscall(arch.syscalls.close, fd);
    if (errno !== E.EACCES) errno = -fd;
  }
  throw new NoDirector(sockets[0] ?? 'any usual place', getSystemErrorName(-errno));
}

function start(command: readonly string[], own: PrivateDirector | undefined): ChildProcess {
  const env = { ...process.env, [MARK]: '1', ...(own && { UIPVS_RUNTIME_DIR: own.runtimeDir }) };
  return spawn(command[0]!, command.slice(1), { stdio: 'inherit', env });
}

/** How the command ended: its exit status, or the signal that killed it. */
type End = number | NodeJS.Signals;

/** Waits for the command, and for the daemons that it left if that is wanted. */
async function follow(child: ChildProcess, adopted: AdoptedChildren, options: RunOptions): Promise<End> {
  process.on('SIGCHLD', () => setImmediate(() => adopted.reap()));
  let hasEnded = false;
  const stopForwarding = forwardSignals((signal) => {
    if (!hasEnded) child.kill(signal);
    else for (const pid of adopted.running()) process.kill(pid, signal);
  });
  const end = await ended(child, options);
  hasEnded = true;
  if (options.wait) {
    while (adopted.reap() > 0) await sleep(WATCH_MS);
  } else if (adopted.reap() > 0) {
    options.complain("run: processes of this command go on and no longer reach the director; see '--wait'");
  }
  stopForwarding();
  return end;
}

async function ended(child: ChildProcess, { command, complain }: RunOptions): Promise<End> {
  return new Promise((resolve) => {
    child.once('error', (error) => {
      const code = errorCode(error);
      complain(`run ${command[0]}: ${code}`);
      resolve(code === 'ENOENT' ? NOT_FOUND : NOT_EXECUTABLE);
    });
    child.once('exit', (status, signal) => resolve(signal ?? status ?? NOT_FOUND));
  });
}
