import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Turns } from '../turns.ts';

/** Administrators' programs may be outside of an ordinary PATH. */
const ADMIN_PATH = '/usr/sbin:/sbin:/usr/local/sbin';

/** In which packages the programs are, for messages. */
const PACKAGE = { ip: 'iproute2', nft: 'nftables' } as const;

export type Program = keyof typeof PACKAGE;

/** Runs the host's programs. */
export interface ProgramRunner {
  /**
   * @param input for the program's standard input
   * @returns its standard output
   * @throws ProgramError if it is missing or fails
   */
  run(program: Program, args: readonly string[], input?: string): Promise<string>;
}

/** A program of the host that could not be run or refused what it was told; the message is one line. */
export class ProgramError extends Error {
  override readonly name = 'ProgramError';
  readonly isMissing: boolean;

  constructor(program: Program, args: readonly string[], reason: string, isMissing: boolean) {
    super(`${[program, ...args].join(' ')}: ${reason}`);
    this.isMissing = isMissing;
  }
}

/** Runs programs one after the other, so that changes take effect in the order of the calls. */
export class SerialPrograms implements ProgramRunner {
  private readonly path: string;
  private readonly turns = new Turns();

  /** @param path directories to search, separated by colons */
  constructor(path = `${process.env['PATH'] ?? ''}:${ADMIN_PATH}`) {
    this.path = path;
  }

  run(program: Program, args: readonly string[], input = ''): Promise<string> {
    return this.turns.take(() => runProgram(this.path, program, args, input));
  }
}

async function runProgram(
  path: string,
  program: Program,
  args: readonly string[],
  input: string,
): Promise<string> {
  const child = spawn(program, args, { stdio: 'pipe', env: { PATH: path, LC_ALL: 'C' } });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  // A program that ends early closes its input; how it ended says why.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  let ended: [number | null, NodeJS.Signals | null];
  try {
    ended = (await once(child, 'close')) as typeof ended;
  } catch (error) {
    throw startError(program, args, error);
  }
  const [status, signal] = ended;
  if (status === 0) return stdout;
  const reason = firstLine(stderr) || (signal ? `ended by ${signal}` : `exit status ${status}`);
  throw new ProgramError(program, args, reason, false);
}

function startError(program: Program, args: readonly string[], error: unknown): ProgramError {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT'
    ? new ProgramError(program, args, `no such program; install the package ${PACKAGE[program]}`, true)
    : new ProgramError(program, args, `cannot be started: ${code}`, true);
}

/** The first line that tells something; both programs say more about it on the lines that follow. */
function firstLine(text: string): string {
  const lines = text.split('\n').map((line) => line.trim());
  return lines.find((line) => line !== '') ?? '';
}
