import { writeSync } from 'node:fs';
import { StateFile } from '../../src/control/state-file.ts';

/* Appends records 0, 1, 2 ... to a state file without end and writes each number to stdout once it is recorded. */
const { file } = StateFile.open(process.argv[2]!);
for (let n = 0; ; n++) {
  file.append({ op: 'set-sysctl', name: 'drop_entry', value: String(n) });
  writeSync(1, `${n}\n`);
}
