import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { Script } from 'node:vm';

type Require = ReturnType<typeof createRequire>;
type Bundle = (
  exports: object,
  require: Require,
  module: { exports: object },
  file: string,
  folder: string,
) => void;

/** What a bundle's compiled form is named, after the bundle. */
export const COMPILED = '.v8';

/**
 * A CommonJS bundle in ASCII, without import(), as a script, whose value is a function as Node makes it of such a module.
 * @param cachedData the same bundle compiled; compiled anew where V8 is of another version than the one that did that
 */
export function bundleScript(file: string, cachedData?: Buffer): Script {
  const text = readFileSync(file, 'latin1');
  return new Script(`(function (exports, require, module, __filename, __dirname) {${text}\n})`, {
    filename: file,
    ...(cachedData && { cachedData }),
  });
}

/**
 * As require(), of a bundle that was compiled when it was built: that takes V8 longer than most commands run.
 * @throws {Error} as readFileSync, without such a bundle
 */
export function load(file: string): object {
  const module = { exports: {} };
  const run = bundleScript(file, readFileSync(file + COMPILED)).runInThisContext() as Bundle;
  run(module.exports, createRequire(file), module, file, dirname(file));
  return module.exports;
}
