import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SystemError } from './system-error.ts';

/**
 * Path of a file of this program, which lies above this module, wherever a bundle may have put it.
 * @param path from the folder of the installation
 * @throws SystemError if there is none
 */
export function installedFile(path: string): string {
  let dir = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const file = join(dir, path);
    if (existsSync(file)) return file;
    if (dirname(dir) === dir) throw new SystemError(`find ${path}`, 'it is missing from this installation');
    dir = dirname(dir);
  }
}

/** Of this program, such as 1.0.0. */
export function programVersion(): string {
  // The launcher lies beside the manifest; folders of modules have manifests too.
  const manifest: unknown = JSON.parse(
    readFileSync(join(dirname(installedFile('bin/uipvs')), '../package.json'), 'utf8'),
  );
  const isManifest = typeof manifest === 'object' && manifest !== null && 'version' in manifest;
  return isManifest ? String(manifest.version) : 'unknown';
}
