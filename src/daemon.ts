import { Worker } from 'node:worker_threads';
import { claimRuntimeDir } from './control/director-lock.ts';
import { programVersion } from './control/installation.ts';
import { LockHeld } from './control/lock.ts';
import {
  prepareRuntimeDir,
  prepareStateDir,
  processPaths,
  socketPath,
  stateFilePath,
} from './control/paths.ts';
import { recorded, type UndoablePort } from './control/recorder.ts';
import { ControlServer } from './control/server.ts';
import { ProcSnapshots, removeSnapshots } from './control/snapshots.ts';
import { StateFile, StateFileBroken } from './control/state-file.ts';
import { SystemError } from './control/system-error.ts';
import type { DirectorPort, Query, QueryResults } from './core/commands.ts';
import { IpvsError } from './core/errors.ts';
import {
  type DaemonOptions,
  DaemonUsageError,
  type MetricsOptions,
  parseDaemonOptions,
} from './daemon-options.ts';
import type { Health } from './metrics/health.ts';
import { formatListenAddress, type ListenAddress } from './metrics/listen-address.ts';
import type { MetricsServer } from './metrics/server.ts';
import { keepAddonLoaded } from './net/ffi/native.ts';
import { NetlinkSession } from './netlink/server.ts';
import type { WorkerOptions } from './worker.ts';
import { WorkerPort, type WorkerStatus } from './worker-port.ts';

interface Metrics {
  readonly address: ListenAddress;
  readonly health: Health;
  readonly server: MetricsServer;
}

const EXIT = { OK: 0, FAILED: 1, USAGE: 2, INTERNAL: 70 } as const;

/** How long answers under way are waited for at the end. */
const REPLY_GRACE_MS = 500;
/** How long metrics wait for the worker: less than the 10 s after which Prometheus gives a scrape up. */
const SCRAPE_LIMIT_MS = 5000;
const PROBE_LIMIT_MS = 2000;
/** Of the sockets: root's are for its group too. */
const SOCKET_MODE = process.getuid?.() === 0 ? 0o660 : 0o600;

const say = (line: string): void => void process.stderr.write(`uipvs: ${line}\n`);

/**
 * Runs a director in the foreground until TERM or INT.
 * @returns the exit status: 0 after a signal, 1 if it could not start, 2 for a wrong command line, 70 after a defect
 */
export async function runDaemon(args: readonly string[]): Promise<number> {
  try {
    const options = parseDaemonOptions(args);
    return await serve(options);
  } catch (error) {
    if (error instanceof DaemonUsageError) {
      say(error.message);
      return EXIT.USAGE;
    }
    if (error instanceof SystemError || error instanceof StateFileBroken) {
      say(error.message);
      return EXIT.FAILED;
    }
    throw error;
  }
}

async function serve(options: DaemonOptions): Promise<number> {
  const paths = processPaths();
  const runtimeDir = prepareRuntimeDir(paths);
  const lock = await claimRuntimeDir(runtimeDir);
  try {
    const stateDir = prepareStateDir(paths);
    if (stateDir.warning) say(stateDir.warning);
    const { file, commands, warnings } = openState(stateFilePath(stateDir.path), options);
    for (const warning of warnings) say(warning);
    try {
      return await direct(options, runtimeDir, file, commands);
    } finally {
      file.close();
    }
  } finally {
    lock.release();
  }
}

function openState(path: string, options: DaemonOptions): ReturnType<typeof StateFile.open> {
  try {
    return StateFile.open(path, { fresh: options.fresh, fsync: options.fsync, warn: say });
  } catch (error) {
    if (!(error instanceof LockHeld)) throw error;
    throw new SystemError(`use ${path}`, `the director with pid ${error.holder.pid} uses it`);
  }
}

/** From the start of the worker to its end. */
async function direct(
  options: DaemonOptions,
  runtimeDir: string,
  file: StateFile,
  commands: Parameters<WorkerPort['restore']>[0],
): Promise<number> {
  const startedAt = performance.now();
  keepAddonLoaded();
  const worker = new Worker(new URL('./worker.js', import.meta.url), {
    // Descriptors are opened here and closed by handles that Node does not know of.
    trackUnmanagedFds: false,
    workerData: {
      plane: options.plane,
      io: options.io,
      capture: options.capture,
      pcap: options.pcap,
      connMax: options.connMax,
    } satisfies WorkerOptions,
  });
  const failure = new Promise<Error>((resolve) => {
    worker.on('error', resolve);
    worker.on('exit', (code) => resolve(new Error(`the worker ended with code ${code}`)));
  });
  const inner = new WorkerPort(worker, say);
  const director = recorded(withProcess(inner, startedAt), file, say);
  const signals = new StopSignals();
  if (options.untilEof)
    process.stdin
      .once('end', () => signals.stop())
      .resume()
      .unref();
  const control = new ControlServer({
    path: socketPath(runtimeDir),
    mode: SOCKET_MODE,
    createSession: () => new NetlinkSession(director),
    warn: say,
  });
  const snapshots = procSnapshots(options, runtimeDir, director);
  const metrics = options.metrics && (await createMetrics(options.metrics, director, inner, worker));
  const work = async (): Promise<undefined> => {
    if (metrics) await listen(metrics);
    for (const line of await restored(inner, commands)) say(`not restored: ${line}`);
    await control.listen();
    await snapshots?.start();
    metrics?.health.enter('serving');
    say(`director ready on ${runtimeDir} (pid ${process.pid}, plane ${options.plane})`);
    await signals.first;
    metrics?.health.enter('draining');
    await snapshots?.stop();
    await control.close(REPLY_GRACE_MS);
    await inner.stop(options.drainMs);
    return undefined;
  };
  let defect: Error | undefined;
  try {
    defect = await Promise.race([failure, work()]);
  } finally {
    signals.ignore();
    await metrics?.server.close();
    worker.removeAllListeners();
    await worker.terminate();
  }
  if (!defect) return EXIT.OK;
  await snapshots?.stop();
  await control.close(0);
  say(`internal error: ${defect.stack ?? defect.message}`);
  return EXIT.INTERNAL;
}

/** @throws SystemError if the worker cannot start what it was told to serve by */
async function restored(
  inner: WorkerPort,
  commands: Parameters<WorkerPort['restore']>[0],
): Promise<readonly string[]> {
  try {
    return await inner.restore(commands);
  } catch (error) {
    if (!(error instanceof IpvsError)) throw error;
    throw new SystemError('start the director', error.message);
  }
}

/** Loads what only directors with metrics need. */
async function createMetrics(
  { address, labels }: MetricsOptions,
  director: DirectorPort,
  inner: WorkerPort,
  worker: Worker,
): Promise<Metrics> {
  const [{ Exposition }, { Health }, { MetricsServer }] = await Promise.all([
    import('./metrics/exposition.ts'),
    import('./metrics/health.ts'),
    import('./metrics/server.ts'),
  ]);
  const source = {
    ask: <Q extends Query>(query: Q) => director.ask(query),
    totals: () => inner.totals(),
  };
  const exposition = new Exposition({
    source,
    labels,
    version: programVersion(),
    activeSec: () => ({
      main: performance.eventLoopUtilization().active / 1000,
      worker: worker.performance.eventLoopUtilization().active / 1000,
    }),
    now: () => performance.now(),
    answerLimitMs: SCRAPE_LIMIT_MS,
  });
  const health = new Health(source, PROBE_LIMIT_MS);
  const server = new MetricsServer({ address, mode: SOCKET_MODE, exposition, health, warn: say });
  return { address, health, server };
}

/** @throws SystemError */
async function listen({ address, server }: Metrics): Promise<void> {
  try {
    say(`metrics on ${formatListenAddress(await server.listen())}`);
  } catch (error) {
    throw new SystemError(`listen on ${formatListenAddress(address)} for metrics`, error, 'see --metrics');
  }
}

/** @returns undefined unless they are wanted; then those of a director that was killed are removed. */
function procSnapshots(
  options: DaemonOptions,
  runtimeDir: string,
  director: DirectorPort,
): ProcSnapshots | undefined {
  if (!options.procSnapshots) {
    removeSnapshots(runtimeDir);
    return undefined;
  }
  return new ProcSnapshots({
    runtimeDir,
    director,
    warn: say,
    now: () => performance.now(),
    after: (ms, callback) => {
      const timer = setTimeout(callback, ms);
      return () => clearTimeout(timer);
    },
  });
}

/** Adds to the worker's status what only the main thread knows. */
function withProcess(inner: WorkerPort, startedAt: number): UndoablePort {
  const version = programVersion();
  return {
    apply: (command) => inner.apply(command),
    undo: (count) => inner.undo(count),
    settle: () => inner.settle(),
    async ask<Q extends Query>(query: Q): Promise<QueryResults[Q['query']]> {
      const answer = await inner.ask(query);
      if (query.query !== 'status') return answer;
      const uptimeSec = Math.floor((performance.now() - startedAt) / 1000);
      return {
        ...(answer as WorkerStatus),
        pid: process.pid,
        version,
        uptimeSec,
      } as QueryResults[Q['query']];
    },
  };
}

/** The first TERM or INT asks for an orderly end; a second one ends the process at once. */
class StopSignals {
  readonly first: Promise<void>;
  /** Asks for an orderly end, as the first signal does. */
  readonly stop: () => void;
  private readonly handler: () => void;

  constructor() {
    let seen = 0;
    let resolveFirst = (): void => {};
    this.first = new Promise((resolve) => {
      resolveFirst = resolve;
    });
    this.stop = () => resolveFirst();
    this.handler = () => {
      if (++seen > 1) process.exit(EXIT.FAILED);
      resolveFirst();
    };
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, this.handler);
  }

  ignore(): void {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.off(signal, this.handler);
  }
}
