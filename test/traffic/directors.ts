import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runIpvsadm } from '../../src/cli/run.ts';
import { connectToDirector, type DirectorConnection } from '../../src/control/client.ts';
import { isAnswering } from '../../src/control/director-lock.ts';
import type { FileNames } from '../cli/file-names.ts';
import type { StepResult } from '../replay/step.ts';
import { endProcess, run, until } from '../support/processes.ts';
import type { Namespace } from './namespace.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const UIPVS = join(ROOT, 'bin/uipvs');

/** A director in a namespace, and the commands to it. */
export class RealDirector {
  private readonly namespace: Namespace;
  private readonly env: NodeJS.ProcessEnv;
  private readonly child: ChildProcess;
  private readonly runtimeDir: string;
  private log = '';

  private constructor(namespace: Namespace, scratch: string, args: readonly string[]) {
    this.namespace = namespace;
    this.runtimeDir = join(scratch, namespace.name, 'run');
    const stateDir = join(scratch, namespace.name, 'state');
    for (const dir of [this.runtimeDir, stateDir]) mkdirSync(dir, { recursive: true });
    this.env = {
      PATH: process.env['PATH'],
      LC_ALL: 'C',
      UIPVS_RUNTIME_DIR: this.runtimeDir,
      UIPVS_STATE_DIR: stateDir,
    };
    const [program = '', ...words] = namespace.command(process.execPath, UIPVS, 'daemon', ...args);
    this.child = spawn(program, words, { env: this.env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.log += text;
      });
    }
  }

  static async start(namespace: Namespace, scratch: string, args: readonly string[]): Promise<RealDirector> {
    const director = new RealDirector(namespace, scratch, args);
    await until(`a director in ${namespace.name}`, () => {
      if (director.child.exitCode !== null) throw new Error(`the director ended: ${director.log}`);
      return isAnswering(director.runtimeDir);
    });
    return director;
  }

  async ipvsadm(words: readonly string[], names: FileNames): Promise<StepResult> {
    const text = { stdout: '', stderr: '' };
    const output = {
      stdin: async function* () {},
      stdout: (more: string) => {
        text.stdout += more;
      },
      stderr: (more: string) => {
        text.stderr += more;
      },
    };
    let connection: DirectorConnection | undefined;
    const connect = async (): Promise<DirectorConnection> => {
      connection = await this.connect();
      return connection;
    };
    try {
      const status = await runIpvsadm(words, output, connect, names);
      return { status, ...text };
    } finally {
      connection?.close();
    }
  }

  async setSysctl(name: string, value: string): Promise<void> {
    const connection = await this.connect();
    try {
      await connection.apply({ op: 'set-sysctl', name, value });
    } finally {
      connection.close();
    }
  }

  /** Runs a shell command beside the director. What it reads of a kernel's IPVS, it reads of the director. */
  async shell(command: string): Promise<StepResult> {
    const ours = command
      .replace(/\bcat \/proc\/net\/(ip_vs\w*)/g, `${process.execPath} ${UIPVS} proc $1`)
      .replace(/\bsysctl (?=net\.ipv4\.vs)/g, `${process.execPath} ${UIPVS} sysctl `);
    const { status, stdout, stderr } = await run(this.namespace.command('sh', '-c', ours), { env: this.env });
    return { status: status ?? -1, stdout, stderr };
  }

  /** @throws if it has ended by itself */
  async stop(): Promise<void> {
    const { child } = this;
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`the director in ${this.namespace.name} ended by itself: ${this.log}`);
    await endProcess(child, 'SIGTERM');
    const end = child.exitCode ?? child.signalCode;
    if (end !== 0) throw new Error(`the director ended with ${end}: ${this.log}`);
  }

  private connect(): Promise<DirectorConnection> {
    const env = { UIPVS_RUNTIME_DIR: this.runtimeDir };
    return connectToDirector({ paths: { env, uid: 0, tempDir: '/tmp', home: undefined }, autostart: false });
  }
}
