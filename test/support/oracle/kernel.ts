import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMissing } from '../programs.ts';

const BOOT = fileURLToPath(new URL('boot', import.meta.url));

/** This project as the virtual machine sees it. */
export const PROJECT = '/run/project';

/** One command line of ipvsadm. */
export interface CommandLine {
  /** Without the program's name. */
  readonly words: readonly string[];
  readonly stdin: string;
}

export interface Result {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Whether this machine cannot run a kernel of its own or lacks ipvsadm; says so. */
export const isOracleMissing = (): boolean => isMissing('linux.uml', 'modprobe', 'ipvsadm', 'bash');

/**
 * Runs the command lines one after another with the real ipvsadm on the real kernel, which starts without rules.
 * Takes some seconds to start and some hundredths of a second for each line.
 */
export async function runOnKernel(lines: readonly CommandLine[]): Promise<Result[]> {
  const folder = mkdtempSync(join(tmpdir(), 'uipvs-oracle-'));
  try {
    writeFileSync(join(folder, 'script'), scriptOf(lines));
    for (const [n, { stdin }] of lines.entries()) writeFileSync(join(folder, `${n}.in`), stdin);
    const output = await boot(join(folder, 'script'));
    return lines.map((_, n) => resultOf(folder, n, output));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function scriptOf(lines: readonly CommandLine[]): string {
  const calls = lines.map(({ words }, n) => `run ${n} ${words.map(quote).join(' ')}\n`);
  return `run() {
  local n=$1
  shift
  ipvsadm "$@" <"$n.in" >"$n.out" 2>"$n.err"
  echo $? >"$n.status"
}
${calls.join('')}`;
}

const quote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

function resultOf(folder: string, n: number, output: string): Result {
  const read = (kind: string): string => readFileSync(join(folder, `${n}.${kind}`), 'utf8');
  if (!existsSync(join(folder, `${n}.status`)))
    throw new Error(`the kernel did not get to line ${n}: ${output}`);
  return { status: Number(read('status')), stdout: read('out'), stderr: read('err') };
}

/** Runs a script of bash on the kernel. @returns what it printed */
export function boot(script: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(BOOT, [script], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const collect = (chunk: Buffer): void => {
      output += chunk.toString();
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.on('error', reject);
    child.on('close', () => resolve(output));
  });
}
