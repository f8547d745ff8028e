import { readFileSync, writeSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { FileNames } from '../cli/file-names.ts';
import { type Replayed, replayScenario } from '../replay/scenario.ts';
import { NetworkLab } from './network-lab.ts';

/*
 * Plays one recorded scenario with a director of its own: `lab-program GOLDEN NAMES SCRATCH [DAEMON-OPTION ...]`; NAMES
 * has hosts(5) and services(5) of the recordings. To be started in namespaces of its own (mount, pid and network), with
 * an empty /run: what it builds ends with them. Says what it found as JSON.
 */
export type Report = Replayed & { readonly trouble: string };

const [golden = '', namesDir = '', scratch = '', ...daemonArgs] = process.argv.slice(2);
const read = (name: string): string => readFileSync(`${namesDir}/${name}`, 'utf8');
const names = new FileNames(read('hosts'), read('services'));
const lab = new NetworkLab({ scratch, daemonArgs, names });

let replayed: Replayed = { differences: [], compared: 0, leftOut: 0 };
let trouble = '';
try {
  replayed = await replayScenario(pathToFileURL(golden), lab);
  await lab.stop();
} catch (error) {
  trouble = error instanceof Error ? (error.stack ?? error.message) : String(error);
}
writeSync(1, `${JSON.stringify({ ...replayed, trouble } satisfies Report)}\n`);
process.exit(0);
