import { existsSync, readFileSync } from 'node:fs';

const ROOT = new URL('../../', import.meta.url);

/**
 * The packages that the program needs when it runs, theirs included, as paths below the root: `node_modules/x`. Those
 * that are optional, such as binaries of other platforms, only where they are.
 */
export function runtimePackages(): readonly string[] {
  const lock: Lock = JSON.parse(readFileSync(new URL('package-lock.json', ROOT), 'utf8'));
  return Object.entries(lock.packages)
    .filter(([path, { dev, devOptional }]) => path !== '' && !dev && !devOptional)
    .filter(([path, { optional }]) => !optional || existsSync(new URL(path, ROOT)))
    .map(([path]) => path);
}

interface Lock {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

interface LockedPackage {
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly optional?: boolean;
}
