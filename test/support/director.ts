import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isAnswering } from '../../src/control/director-lock.ts';
import { runtimePackages } from './dependencies.ts';
import { endProcess, type Finished, run, until } from './processes.ts';
import { isRoot } from './programs.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** What it takes to run the program. */
const PROGRAM = ['bin', 'dist', 'package.json', ...runtimePackages()];
/** nobody and nogroup of Debian. */
const UNPRIVILEGED = 65534;

/** What the tests read of `uipvs status --json`. */
export interface DirectorStatus {
  readonly counters: Readonly<Record<string, number>>;
  readonly connections: { readonly current: number; readonly max: number };
  readonly services: readonly { readonly state: string; readonly plane: string }[];
  readonly director: {
    readonly io: string;
    readonly capture: string;
    readonly footprint: readonly string[];
    readonly problems: readonly string[];
  };
}

/**
 * A director of its own with everything beside it in one temporary directory, run without privileges unless they are
 * asked for: as nobody, from a copy of the built program, where the tests run as root.
 */
export class TestDirector {
  readonly scratch = mkdtempSync(join(tmpdir(), 'uipvs-e2e-'));
  readonly runtimeDir = join(this.scratch, 'run');
  readonly stateDir = join(this.scratch, 'state');
  readonly env: NodeJS.ProcessEnv = {
    PATH: process.env['PATH'],
    LC_ALL: 'C',
    HOME: this.scratch,
    UIPVS_RUNTIME_DIR: this.runtimeDir,
    UIPVS_STATE_DIR: this.stateDir,
  };
  process: ChildProcess | undefined;
  private readonly program: string;
  /** Run as nobody. */
  private readonly isDemoted: boolean;
  private stderr = '';

  constructor({ isPrivileged = false }: { readonly isPrivileged?: boolean } = {}) {
    chmodSync(this.scratch, 0o755);
    this.isDemoted = isRoot && !isPrivileged;
    this.program = this.isDemoted ? join(this.scratch, 'program') : ROOT;
    if (this.isDemoted) for (const name of PROGRAM) this.copyProgram(name);
    for (const dir of [this.runtimeDir, this.stateDir]) {
      mkdirSync(dir);
      if (this.isDemoted) chownSync(dir, UNPRIVILEGED, UNPRIVILEGED);
    }
  }

  /** Starts the director and waits for its socket. @param prefix a program that starts it, such as `ip netns exec` */
  async start(args: readonly string[] = ['--plane', 'proxy'], prefix: readonly string[] = []): Promise<void> {
    const command = [
      ...prefix,
      ...this.asUser(),
      process.execPath,
      join(this.program, 'bin/uipvs'),
      'daemon',
      ...args,
    ];
    const child = spawn(command[0]!, command.slice(1), {
      env: this.env,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.process = child;
    this.stderr = '';
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      this.stderr += chunk;
    });
    await until('the director listens', () => {
      const ended = child.exitCode ?? child.signalCode;
      if (ended !== null) throw new Error(`the director ended: ${ended} ${this.stderr}`);
      return isAnswering(this.runtimeDir);
    });
  }

  /** What the director wrote for people since its start. */
  get log(): string {
    return this.stderr;
  }

  /** Runs our ipvsadm; the words as in a shell without quotes. */
  ipvsadm(words: string, input = ''): Promise<Finished> {
    return this.tool('ipvsadm', words.split(' '), input);
  }

  /** Runs our ipvsadm and expects it to succeed. @returns its output */
  async ok(words: string, input = ''): Promise<string> {
    const { status, stdout, stderr } = await this.ipvsadm(words, input);
    if (status !== 0) throw new Error(`ipvsadm ${words}: status ${status}: ${stderr}`);
    return stdout;
  }

  uipvs(words: string): Promise<Finished> {
    return this.tool('uipvs', words.split(' '));
  }

  async status(): Promise<DirectorStatus> {
    const { stdout } = await this.uipvs('status --json');
    return JSON.parse(stdout);
  }

  tool(name: string, args: readonly string[], input = ''): Promise<Finished> {
    const command = [...this.asUser(), process.execPath, join(this.program, 'bin', name), ...args];
    return run(command, { env: this.env, input });
  }

  /** Sockets and other descriptors that the director holds open. */
  descriptors(): number {
    return readdirSync(`/proc/${this.process?.pid}/fd`).length;
  }

  sockets(): number {
    const dir = `/proc/${this.process?.pid}/fd`;
    return readdirSync(dir).filter((fd) => readLink(`${dir}/${fd}`).startsWith('socket:')).length;
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    if (this.process) await endProcess(this.process, signal);
  }

  /** Ends the director and removes all it left. */
  async cleanUp(): Promise<void> {
    await this.kill('SIGTERM');
    rmSync(this.scratch, { recursive: true, force: true });
  }

  private asUser(): string[] {
    if (!this.isDemoted) return [];
    const id = String(UNPRIVILEGED);
    return [
      'setpriv',
      '--reuid',
      id,
      '--regid',
      id,
      '--clear-groups',
      '--no-new-privs',
      '--bounding-set=-all',
    ];
  }

  private copyProgram(name: string): void {
    const from = join(ROOT, name);
    const skip = (path: string): boolean => !/\/dist\/test(\/|$)|\.map$/.test(path);
    cpSync(from, join(this.program, name), { recursive: true, filter: skip });
  }
}

function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
