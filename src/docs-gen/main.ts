import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DOCUMENTS } from './documents.ts';

/** Seen from the compiled module. */
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

for (const [path, make] of Object.entries(DOCUMENTS)) {
  const file = join(ROOT, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, make());
  process.stdout.write(`${path}\n`);
}
