import { lstatSync, readlinkSync, realpathSync, statSync, symlinkSync, unlinkSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { installedFile } from '../control/installation.ts';
import { errorCode, SystemError } from '../control/system-error.ts';
import { expectPositionals, parseVerbArgs } from './arguments.ts';
import type { Terminal } from './terminal.ts';

/** What is linked, by the names that scripts call. */
export const LINK_NAMES = ['ipvsadm', 'ipvsadm-save', 'ipvsadm-restore'] as const;

/** `uipvs install-links DIR [--remove]`. @param binDir what the links lead to */
export async function runInstallLinks(
  args: readonly string[],
  terminal: Terminal,
  binDir: string = dirname(installedFile('bin/uipvs')),
): Promise<number> {
  const { values, positionals } = parseVerbArgs('install-links', args, {
    remove: { type: 'boolean', default: false },
  });
  expectPositionals('install-links', positionals, 1);
  const dir = directory(positionals[0]!);
  const links = LINK_NAMES.map((name) => new Link(join(dir, name), join(realpathSync(binDir), name)));
  const foreign = links.find((link) => link.state() === 'foreign');
  if (foreign) {
    terminal.complain(`install-links: ${foreign.path} is not a link of this program; nothing was changed`);
    return 1;
  }
  const done = values.remove ? removeLinks(links) : makeLinks(links);
  for (const { path, target } of done) {
    await terminal.print(values.remove ? `removed ${path}\n` : `${path} -> ${target}\n`);
  }
  if (done.length === 0) await terminal.print(`nothing to do in ${dir}\n`);
  return 0;
}

/** A symbolic link that is to be made or removed. */
class Link {
  readonly path: string;
  readonly target: string;

  constructor(path: string, target: string) {
    this.path = path;
    this.target = target;
  }

  /** Ours is only a link that leads straight to our file: whoever made a detour may have meant another program. */
  state(): 'absent' | 'ours' | 'foreign' {
    const found = lstatSync(this.path, { throwIfNoEntry: false });
    if (!found) return 'absent';
    if (!found.isSymbolicLink()) return 'foreign';
    return resolve(this.path, '..', readlinkSync(this.path)) === this.target ? 'ours' : 'foreign';
  }
}

/** @returns the links that were made; all or none. */
function makeLinks(links: readonly Link[]): Link[] {
  const made: Link[] = [];
  for (const link of links) {
    if (link.state() === 'ours') continue;
    try {
      symlinkSync(link.target, link.path);
    } catch (error) {
      for (const { path } of made) unlinkSync(path);
      throw new SystemError(`make link ${link.path}`, error, 'nothing was changed');
    }
    made.push(link);
  }
  return made;
}

/** @returns the links that were removed. */
function removeLinks(links: readonly Link[]): Link[] {
  const removed: Link[] = [];
  for (const link of links) {
    if (link.state() !== 'ours') continue;
    try {
      unlinkSync(link.path);
    } catch (error) {
      throw new SystemError(`remove link ${link.path}`, error);
    }
    removed.push(link);
  }
  return removed;
}

/** @returns the directory's real path, from which relative links count. */
function directory(path: string): string {
  try {
    const real = realpathSync(path);
    if (statSync(real).isDirectory()) return real;
  } catch (error) {
    throw new SystemError(`use directory ${path}`, errorCode(error));
  }
  throw new SystemError(`use directory ${path}`, 'ENOTDIR');
}
