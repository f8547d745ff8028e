import { posix } from 'node:path';
import { PROC_NAMES, type ProcName } from '../core/commands.ts';
import { SETTINGS } from '../core/settings.ts';

/** What a path below /proc stands for. */
export type ProcTarget =
  | { readonly kind: 'text'; readonly name: ProcName }
  | { readonly kind: 'setting'; readonly name: string }
  | { readonly kind: 'settings' };

const SETTINGS_DIR = '/proc/sys/net/ipv4/vs';
/** /proc/net is a link to the reader's own directory. */
const TEXT = /^\/proc\/(?:(?:self|thread-self|\d+(?:\/task\/\d+)?)\/)?net\/(ip_vs\w*)$/;

/** @returns `undefined` for a path that is none of IPVS. @param path absolute */
export function procTarget(path: string): ProcTarget | undefined {
  if (!path.startsWith('/proc')) return undefined;
  const normal = posix.normalize(path).replace(/(?<=.)\/$/, '');
  const text = TEXT.exec(normal)?.[1];
  const name = PROC_NAMES.find((known) => known === text);
  if (name !== undefined) return { kind: 'text', name };
  if (normal === SETTINGS_DIR) return { kind: 'settings' };
  if (posix.dirname(normal) !== SETTINGS_DIR) return undefined;
  const setting = posix.basename(normal);
  return Object.hasOwn(SETTINGS, setting) ? { kind: 'setting', name: setting } : undefined;
}

/** Whether a relative path may lead to a file of IPVS, so that it is worth finding out from where it starts. */
export function mayBeOurs(path: string): boolean {
  const last = posix.basename(path);
  return last === 'vs' || last.startsWith('ip_vs') || Object.hasOwn(SETTINGS, last);
}
