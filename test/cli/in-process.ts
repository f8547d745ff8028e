import { readFileSync } from 'node:fs';
import { runIpvsadm } from '../../src/cli/run.ts';
import { runRestore, runSave } from '../../src/cli/wrappers.ts';
import { type DirectorPort, PROC_NAMES, type Query, type QueryResults } from '../../src/core/commands.ts';
import type { Director } from '../../src/core/director.ts';
import type { Host } from '../../src/core/host.ts';
import type { SchedulerSpec } from '../../src/core/scheduler.ts';
import { fakeHost, makeDirector } from '../support/core.ts';
import { FileNames } from './file-names.ts';

/** Every scheduler of the kernel that the recordings were made on. Rules name them; no packet is scheduled here. */
const SCHEDULER_NAMES = [
  'rr',
  'wrr',
  'lc',
  'wlc',
  'lblc',
  'lblcr',
  'dh',
  'sh',
  'sed',
  'nq',
  'fo',
  'ovf',
  'mh',
];

const SCHEDULERS: readonly SchedulerSpec[] = SCHEDULER_NAMES.map((name) => ({
  name,
  create: () => ({ schedule: () => -1 }),
}));

/** The compiled module reads the same files. */
const HERE = import.meta.url.replace('/dist/test/', '/test/');
const read = (path: string): string => readFileSync(new URL(`../golden/etc/${path}`, HERE), 'utf8');

/** The names that were known where the recordings were made. */
export const RECORDED_NAMES = new FileNames(read('hosts'), read('services'));

export interface Result {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A director that serves nothing, and the command line in front of it, in this process. */
export class InProcess {
  readonly director: Director;
  readonly port: DirectorPort;

  constructor(host: Host = fakeHost) {
    this.director = makeDirector({ schedulers: SCHEDULERS, host });
    this.port = portOf(this.director);
  }

  /** Runs `ipvsadm` with these words. */
  run(words: readonly string[], stdin = ''): Promise<Result> {
    return runWith(words, () => Promise.resolve(this.port), stdin);
  }

  /** Runs `ipvsadm`, `ipvsadm-save` or `ipvsadm-restore`. */
  async runProgram(name: string, words: readonly string[], stdin: string): Promise<Result> {
    if (name === 'ipvsadm') return this.run(words, stdin);
    const text = { stdout: '', stderr: '' };
    const run = async (inner: readonly string[], input: string): Promise<number> => {
      const result = await this.run(inner, input);
      text.stdout += result.stdout;
      text.stderr += result.stderr;
      return result.status;
    };
    const complain = (more: string): void => {
      text.stderr += more;
    };
    const status =
      name === 'ipvsadm-save' ? await runSave(words, run, complain) : await runRestore(stdin, run);
    return { status, ...text };
  }

  /** @returns the text of a /proc file or of the sysctls, or `undefined` for a command that reads neither */
  readShell(command: string): string | undefined {
    const file = PROC_NAMES.find((name) => command === `cat /proc/net/${name}`);
    if (file) return this.director.ask({ query: 'proc', name: file, from: 0 }, 0).text;
    if (!command.startsWith('sysctl -a ')) return undefined;
    return this.director
      .ask({ query: 'sysctl', name: undefined }, 0)
      .filter(({ name }) => name !== 'sync_qlen_max')
      .map(({ name, value }) => `net.ipv4.vs.${name} = ${value}\n`)
      .join('');
  }
}

/** Runs `ipvsadm` with these words against any director. */
export async function runWith(
  words: readonly string[],
  connect: () => Promise<DirectorPort>,
  stdin = '',
): Promise<Result> {
  const text = { stdout: '', stderr: '' };
  const streams = {
    stdin: () => chunksOf(stdin),
    stdout: (more: string) => {
      text.stdout += more;
    },
    stderr: (more: string) => {
      text.stderr += more;
    },
  };
  const status = await runIpvsadm(words, streams, connect, RECORDED_NAMES);
  return { status, ...text };
}

/** A director's port in which every call is a promise, as it is over a socket. */
function portOf(director: Director): DirectorPort {
  const ask = async (query: Query): Promise<QueryResults[Query['query']]> => {
    if (query.query === 'status') throw new Error('the core alone has no status');
    return director.ask(query, 0);
  };
  return {
    apply: async (command) => director.apply(command, 0),
    ask: ask as DirectorPort['ask'],
  };
}

/** Input in small pieces, so that lines are cut anywhere. */
async function* chunksOf(text: string): AsyncGenerator<string> {
  for (let at = 0; at < text.length; at += 7) yield text.slice(at, at + 7);
}
