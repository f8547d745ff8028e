import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const SEARCH = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/local/sbin'];

/** @returns the path of a program, or `undefined` if this machine has none. */
export function findProgram(name: string): string | undefined {
  return SEARCH.map((dir) => join(dir, name)).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Whether one of the programs is missing, so that a test that needs them is skipped; says which. */
export function isMissing(...names: readonly string[]): boolean {
  const missing = names.filter((name) => findProgram(name) === undefined);
  if (missing.length > 0) process.stderr.write(`skipped: no ${missing.join(', ')} on this machine\n`);
  return missing.length > 0;
}

export const isRoot = process.getuid?.() === 0;
