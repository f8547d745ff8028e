import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './processes.ts';

const FLAGS: readonly string[] = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--hide-scrollbars',
  '--enable-logging=stderr',
];
const TIMEOUT_MS = 90_000;

/** What a browser made of a page. */
export interface Opened {
  readonly stdout: string;
  /** Errors and other lines that scripts wrote to the console. */
  readonly console: readonly string[];
}

/** Opens a page in a browser with a profile of its own, which `more` tells what to do with it. */
export async function openPage(page: string, more: readonly string[]): Promise<Opened> {
  const profile = mkdtempSync(join(tmpdir(), 'uipvs-chromium-'));
  try {
    const argv = ['chromium', ...FLAGS, `--user-data-dir=${profile}`, ...more, `file://${page}`];
    const { stdout, stderr } = await run(argv, { timeoutMs: TIMEOUT_MS });
    return { stdout, console: stderr.split('\n').filter((line) => line.includes(':CONSOLE')) };
  } finally {
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
