import { readFileSync } from 'node:fs';

/** The packages that the program needs when it runs, theirs included, as paths below the root: `node_modules/x`. */
export function runtimePackages(): readonly string[] {
  const lock: Lock = JSON.parse(readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8'));
  return Object.entries(lock.packages)
    .filter(([path, { dev, devOptional }]) => path !== '' && !dev && !devOptional)
    .map(([path]) => path);
}

interface Lock {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean; readonly devOptional?: boolean }>>;
}
