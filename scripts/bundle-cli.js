// Bundles what has to start fast: one file starts faster than forty, CommonJS faster than a module, compiled faster than text.
import { writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { build } from 'esbuild';
import { bundleScript, COMPILED } from '../dist/src/compiled.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const COMMON = {
  absWorkingDir: ROOT,
  bundle: true,
  format: 'cjs',
  define: { 'import.meta.url': 'moduleUrl' },
  banner: { js: "const moduleUrl = require('node:url').pathToFileURL(__filename).href;" },
  platform: 'node',
  target: 'node20',
  // A compiled script has no import(): require() takes its place.
  supported: { 'dynamic-import': false },
  minify: true,
  legalComments: 'none',
  logLevel: 'warning',
  external: ['ffi-rs', 'koffi'],
};

/** Bundles a program, and lays it compiled beside. */
async function bundle(entryPoint, outfile) {
  await build({ ...COMMON, entryPoints: [entryPoint], outfile });
  const file = `${ROOT}${outfile}`;
  // With all functions, not only those that run while it loads; the flags are what they were when V8 notes them.
  setFlagsFromString('--no-lazy');
  const script = bundleScript(file);
  setFlagsFromString('--lazy');
  writeFileSync(file + COMPILED, script.createCachedData());
}

await build({ ...COMMON, entryPoints: ['src/compiled.ts'], outfile: 'dist/compiled.cjs' });
await bundle('src/cli/main.ts', 'dist/ipvsadm.cjs');
// Verbs, each with the thread that its main module starts from the same folder.
for (const { verb, thread } of [
  { verb: 'run', thread: 'src/run/thread.ts' },
  { verb: 'sim', thread: 'src/verbs/laboratory/worker.ts' },
]) {
  const folder = `dist/${verb}`;
  const name = basename(thread, '.ts');
  await bundle(`src/${verb}-main.ts`, `${folder}/main.cjs`);
  await bundle(thread, `${folder}/${name}.cjs`);
  writeFileSync(
    `${ROOT}${folder}/${name}.js`,
    `require('../compiled.cjs').load(\`\${__dirname}/${name}.cjs\`);\n`,
  );
  writeFileSync(`${ROOT}${folder}/package.json`, '{ "type": "commonjs" }\n');
}
