import type { DirectorPort } from '../core/commands.ts';
import { connectDirector } from '../netlink/client.ts';
import { ClientStream } from './client-stream.ts';
import { clientDirs, type PathContext, processPaths, socketPath, trusted } from './paths.ts';
import { errorCode } from './system-error.ts';

const AUTOSTART_TIMEOUT_MS = 15_000;

/** No director could be reached; the message is a line for people. */
export class NoDirector extends Error {
  override readonly name = 'NoDirector';
  /** The socket that was expected. */
  readonly path: string;
  /** Errno name: ENOENT, ECONNREFUSED, EACCES ... */
  readonly code: string;
  constructor(path: string, code: string) {
    const isAbsent = code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTDIR';
    super(
      isAbsent
        ? `no director at ${path}; start one with 'uipvs up'`
        : `cannot reach the director at ${path}: ${code}`,
    );
    this.path = path;
    this.code = code;
  }
}

export interface DirectorConnection extends DirectorPort {
  /** The runtime directory of this director. */
  readonly runtimeDir: string;
  close(): void;
}

export interface ConnectOptions {
  /** Default: of this process. */
  readonly paths?: PathContext;
  /** Default: whether UIPVS_AUTOSTART is 1. */
  readonly autostart?: boolean;
}

/**
 * Connects to the first director found: UIPVS_RUNTIME_DIR, the user's default, the system's. With autostart, one is
 * started where `uipvs up` would if none is there.
 * @throws NoDirector, or SystemError if a director cannot be started
 */
export async function connectToDirector(options: ConnectOptions = {}): Promise<DirectorConnection> {
  const paths = options.paths ?? processPaths();
  const found = await findDirector(paths);
  if (!(found instanceof NoDirector)) return found;
  if (!(options.autostart ?? paths.env.UIPVS_AUTOSTART === '1')) throw found;
  const { startDirector } = await import('./start.ts');
  const { runtimeDir } = await startDirector(paths, [], AUTOSTART_TIMEOUT_MS);
  const started = await tryDirectory(runtimeDir);
  if (started instanceof NoDirector) throw started;
  return started;
}

async function findDirector(paths: PathContext): Promise<DirectorConnection | NoDirector> {
  let refusal: NoDirector | undefined;
  for (const dir of clientDirs(paths)) {
    const found = trusted(dir, paths.uid)
      ? await tryDirectory(dir.path)
      : new NoDirector(socketPath(dir.path), 'ENOENT');
    if (!(found instanceof NoDirector)) return found;
    // A director that is there but closed to this user says more than one that is not there.
    if (!refusal || (found.code === 'EACCES' && refusal.code !== 'EACCES')) refusal = found;
  }
  return refusal!;
}

async function tryDirectory(dir: string): Promise<DirectorConnection | NoDirector> {
  const path = socketPath(dir);
  let stream: ClientStream;
  try {
    stream = await ClientStream.open(path);
  } catch (error) {
    return new NoDirector(path, errorCode(error));
  }
  try {
    const port = await connectDirector((request, take) => stream.exchange(request, take));
    return {
      runtimeDir: dir,
      apply: (command) => port.apply(command),
      ask: (query) => port.ask(query),
      close: () => stream.close(),
    };
  } catch (error) {
    stream.close();
    if (error instanceof Error && 'code' in error) return new NoDirector(path, errorCode(error));
    throw error;
  }
}
