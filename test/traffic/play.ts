import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../support/processes.ts';
import type { Report } from './lab-program.ts';

const PROGRAM = fileURLToPath(new URL('../../dist/test/traffic/lab-program.js', import.meta.url));
const NAMES = fileURLToPath(new URL('../golden/etc', import.meta.url));

/** A scenario that takes longer is ended, with all that belongs to it. */
export const LIMIT_MS = 120_000;

const NEW_NAMESPACES = [
  'unshare',
  '--mount',
  '--net',
  '--pid',
  '--ipc',
  '--fork',
  '--kill-child',
  '--mount-proc',
];

/** Plays a recorded scenario in namespaces of its own, against a director with these options. */
async function playScenario(golden: URL, daemonArgs: readonly string[]): Promise<Report> {
  const scratch = mkdtempSync(join(tmpdir(), 'uipvs-traffic-'));
  try {
    const program = [process.execPath, PROGRAM, fileURLToPath(golden), NAMES, scratch, ...daemonArgs];
    const inEmptyRun = 'mount -t tmpfs tmpfs /run && mkdir /run/netns && exec "$@"';
    const command = [...NEW_NAMESPACES, 'sh', '-c', inEmptyRun, 'sh', ...program];
    const { status, signal, stdout, stderr } = await run(command, { timeoutMs: LIMIT_MS });
    if (status === 0 && stdout.endsWith('}\n')) return JSON.parse(stdout);
    throw new Error(`the program ended with ${signal ?? status}: ${stderr}`);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Plays scenarios several at a time, in this order. @returns the report of each, by name */
export function playAll(
  goldens: ReadonlyMap<string, URL>,
  atOnce: number,
  daemonArgs: readonly string[],
): Map<string, Promise<Report>> {
  const turns: Promise<unknown>[] = Array.from({ length: atOnce }, () => Promise.resolve());
  const free = async (): Promise<number> => Promise.race(turns.map((turn, i) => turn.then(() => i)));
  const reports = new Map<string, Promise<Report>>();
  let begun: Promise<unknown> = Promise.resolve();
  for (const [name, golden] of goldens) {
    const started = begun.then(free).then((turn) => {
      const report = playScenario(golden, daemonArgs);
      // Whoever asks for the report is told of a failure.
      turns[turn] = report.catch(() => {});
      return { report };
    });
    begun = started;
    reports.set(
      name,
      started.then(({ report }) => report),
    );
    reports.get(name)!.catch(() => {});
  }
  return reports;
}
