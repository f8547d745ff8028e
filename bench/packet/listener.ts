import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { endProcess, until } from '../../test/support/processes.ts';

/** In /proc/net/tcp: no remote end, and the state. */
const LISTEN = ':0000 0A ';

/** What a director has done and what it took. */
interface Work {
  readonly packets: number;
  /** Processor time in µs. */
  readonly userUs: number;
  readonly systemUs: number;
}

/** What was started for a round. */
export interface Running {
  /** Of our director, where it is one. */
  readonly work?: () => Promise<Work>;
  stop(): Promise<void>;
}

/** Starts a program and waits until it listens on a TCP port. */
export async function startListener(command: readonly string[], port: number): Promise<Running> {
  const child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await until(`${command.join(' ')} listens`, () => {
    if (child.exitCode !== null) throw new Error(`${command.join(' ')} ended: ${said}`);
    return listens(child.pid!, port);
  });
  return { stop: () => endProcess(child, 'SIGTERM') };
}

/** Whether somebody listens on a TCP port in the network namespace of a process. */
function listens(pid: number, port: number): boolean {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')} `;
  const isListener = (line: string): boolean => line.includes(local) && line.includes(LISTEN);
  const tables = ['tcp', 'tcp6'].map((name) => `/proc/${pid}/net/${name}`);
  return tables.some(
    (table) => existsSync(table) && readFileSync(table, 'utf8').split('\n').some(isListener),
  );
}
