import { readSync, writeSync } from 'node:fs';
import { connectToDirector, type DirectorConnection } from '../control/client.ts';
import { SystemNames } from './names.ts';
import { runIpvsadm as run, type Streams } from './run.ts';
import { runRestore, runSave } from './wrappers.ts';

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const CHUNK_BYTES = 64 * 1024;
/** How long to wait for a full pipe before the next attempt. */
const RETRY_MS = 1;

/** The reader of our output has gone: there is nobody left to work for. Status as after SIGPIPE. */
const BROKEN_PIPE_STATUS = 141;

/** Internal error. */
const INTERNAL_STATUS = 70;

const pause = new Int32Array(new SharedArrayBuffer(4));

/** Writes all of it before it returns, so that nothing is lost at exit, whatever the descriptor is. */
function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text, 'utf8');
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code === 'EPIPE') process.exit(BROKEN_PIPE_STATUS);
      if (code !== 'EAGAIN') return;
      Atomics.wait(pause, 0, 0, RETRY_MS);
    }
  }
}

/** Standard input as text, read when it is asked for. A descriptor that cannot be read is empty. */
async function* readStdin(): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  const buffer = Buffer.alloc(CHUNK_BYTES);
  for (;;) {
    const length = readChunk(buffer);
    if (length === 0) break;
    yield decoder.decode(buffer.subarray(0, length), { stream: true });
  }
  yield decoder.decode();
}

function readChunk(buffer: Buffer): number {
  for (;;) {
    try {
      return readSync(STDIN, buffer);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code !== 'EAGAIN') return 0;
      Atomics.wait(pause, 0, 0, RETRY_MS);
    }
  }
}

const writeOut = (text: string): void => writeAll(STDOUT, text);
const writeError = (text: string): void => writeAll(STDERR, text);

/**
 * Behaves as ipvsadm on this process's descriptors. All output is written when it resolves.
 *
 * @param args the command line without the program's name
 * @returns the exit status
 */
export function runIpvsadm(args: readonly string[]): Promise<number> {
  return runWords(args, readStdin);
}

/** Behaves as ipvsadm-save(8). @returns the exit status */
export function runIpvsadmSave(args: readonly string[]): Promise<number> {
  return runSave(args, (words) => runWords(words, readStdin), writeError);
}

/** Behaves as ipvsadm-restore(8). @returns the exit status */
export async function runIpvsadmRestore(): Promise<number> {
  let rules = '';
  for await (const chunk of readStdin()) rules += chunk;
  return runRestore(rules, (words, stdin) => runWords(words, () => once(stdin)));
}

async function runWords(words: readonly string[], stdin: Streams['stdin']): Promise<number> {
  let director: DirectorConnection | undefined;
  const connect = async (): Promise<DirectorConnection> => {
    director = await connectToDirector();
    return director;
  };
  try {
    const streams: Streams = { stdin, stdout: writeOut, stderr: writeError };
    return await run(words, streams, connect, new SystemNames());
  } catch (error) {
    writeError(`uipvs: ${error instanceof Error ? error.message : String(error)}\n`);
    return INTERNAL_STATUS;
  } finally {
    director?.close();
  }
}

async function* once(text: string): AsyncGenerator<string> {
  yield text;
}
