import { chmodSync, lstatSync, mkdirSync, statSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { errorCode, SystemError } from './system-error.ts';

const SYSTEM_RUNTIME_DIR = '/run/uipvs';
const SYSTEM_STATE_DIR = '/var/lib/uipvs';

/** The environment variables that matter here. */
export interface Environment {
  readonly UIPVS_RUNTIME_DIR?: string | undefined;
  readonly UIPVS_STATE_DIR?: string | undefined;
  readonly UIPVS_AUTOSTART?: string | undefined;
  readonly XDG_RUNTIME_DIR?: string | undefined;
  readonly XDG_STATE_HOME?: string | undefined;
}

/** What the paths depend on. */
export interface PathContext {
  readonly env: Environment;
  readonly uid: number;
  readonly tempDir: string;
  /** Where root's director is; default /run/uipvs. */
  readonly systemDir?: string;
  /** undefined: the user has none. */
  readonly home: string | undefined;
}

export interface RuntimeDir {
  readonly path: string;
  /** The path lies where everybody may make files: trusted only if it is a directory of our own. */
  readonly shared: boolean;
}

export interface StateDir {
  readonly path: string;
  /** Set if the usual place could not be used; one line for people. */
  readonly warning: string | undefined;
}

/** The paths' context of this process. */
export function processPaths(): PathContext {
  return {
    env: process.env,
    uid: process.getuid?.() ?? 0,
    tempDir: tmpdir(),
    home: homedir() || undefined,
  };
}

/** The directory that a director of this user uses: UIPVS_RUNTIME_DIR, or the user's default. */
export function runtimeDir(context: PathContext): RuntimeDir {
  const given = context.env.UIPVS_RUNTIME_DIR;
  return given ? { path: resolve(given), shared: false } : defaultRuntimeDir(context);
}

/**
 * Where a client looks for a director, in this order: the user's default, the system's director. Where the variable
 * names a directory it looks nowhere else: a change meant for one director must not reach another.
 */
export function clientDirs(context: PathContext): RuntimeDir[] {
  if (context.env.UIPVS_RUNTIME_DIR) return [runtimeDir(context)];
  const dirs = [defaultRuntimeDir(context), { path: systemDir(context), shared: false }];
  return dirs.filter((dir, index) => dirs.findIndex((other) => other.path === dir.path) === index);
}

export const socketPath = (dir: string): string => join(dir, 'netlink.sock');

export const stateFilePath = (dir: string): string => join(dir, 'state');

export const logPath = (dir: string): string => join(dir, 'director.log');

/**
 * Tells whether a client may use what lies in `dir`: a shared place must hold a directory, not a symbolic link, that
 * belongs to this user.
 */
export function trusted(dir: RuntimeDir, uid: number): boolean {
  if (!dir.shared) return true;
  const found = lstatSync(dir.path, { throwIfNoEntry: false });
  return found?.isDirectory() === true && found.uid === uid;
}

/** Makes the runtime directory if need be. @throws SystemError if it cannot be made or belongs to somebody else. */
export function prepareRuntimeDir(context: PathContext): string {
  const dir = runtimeDir(context);
  makeDir(dir, context.uid, context.uid === 0 ? 0o755 : 0o700);
  return dir.path;
}

/**
 * Makes the state directory if need be: UIPVS_STATE_DIR, else the user's usual place, else a directory beside the
 * runtime directory with a warning.
 */
export function prepareStateDir(context: PathContext): StateDir {
  const given = context.env.UIPVS_STATE_DIR;
  if (given) {
    const path = resolve(given);
    makeDir({ path, shared: false }, context.uid, 0o700);
    return { path, warning: undefined };
  }
  const usual = usualStateDir(context);
  const refusal = usual === undefined ? 'no home directory' : tryMakeDir(usual, context.uid);
  if (usual !== undefined && refusal === undefined) return { path: usual, warning: undefined };
  const runtime = runtimeDir(context);
  const path = `${runtime.path}.state`;
  makeDir({ path, shared: runtime.shared }, context.uid, 0o700);
  return { path, warning: `state is kept in ${path}, which may not survive a reboot (${refusal})` };
}

/**
 * Makes a directory if need be; in a shared place it must be, and is made to be, this user's alone.
 * @throws SystemError
 */
export function makeDir(dir: RuntimeDir, uid: number, mode: number): void {
  try {
    mkdirSync(dir.path, { recursive: !dir.shared, mode });
  } catch (error) {
    const exists = errorCode(error) === 'EEXIST' && statSync(dir.path).isDirectory();
    if (!exists) throw new SystemError(`make directory ${dir.path}`, error);
  }
  if (!dir.shared) return;
  const found = lstatSync(dir.path);
  if (!found.isDirectory() || found.uid !== uid) {
    const reason = 'not a directory of this user';
    throw new SystemError(`use directory ${dir.path}`, reason, 'set UIPVS_RUNTIME_DIR to another one');
  }
  if ((found.mode & 0o777) !== mode) chmodSync(dir.path, mode);
}

const systemDir = (context: PathContext): string => context.systemDir ?? SYSTEM_RUNTIME_DIR;

function defaultRuntimeDir(context: PathContext): RuntimeDir {
  if (context.uid === 0) return { path: systemDir(context), shared: false };
  const xdg = absolute(context.env.XDG_RUNTIME_DIR);
  if (xdg !== undefined) return { path: join(xdg, 'uipvs'), shared: false };
  return { path: join(context.tempDir, `uipvs-${context.uid}`), shared: true };
}

function usualStateDir(context: PathContext): string | undefined {
  if (context.uid === 0) return SYSTEM_STATE_DIR;
  const xdg = absolute(context.env.XDG_STATE_HOME);
  if (xdg !== undefined) return join(xdg, 'uipvs');
  return context.home === undefined ? undefined : join(context.home, '.local/state/uipvs');
}

/** The XDG base directory specification says that relative paths are to be ignored. */
const absolute = (path: string | undefined): string | undefined =>
  path !== undefined && isAbsolute(path) ? path : undefined;

function tryMakeDir(path: string, uid: number): string | undefined {
  try {
    makeDir({ path, shared: false }, uid, 0o700);
    return undefined;
  } catch (error) {
    if (error instanceof SystemError) return error.message;
    throw error;
  }
}
