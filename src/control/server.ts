import { once } from 'node:events';
import { chmodSync, lstatSync, renameSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { Deframer, FramingError, frame, MAX_REQUEST_BYTES } from './framing.ts';
import { SystemError } from './system-error.ts';

/** Bytes of sockaddr_un's path without the final zero; the kernel and libuv take no longer one. */
const MAX_PATH_BYTES = 107;
/** More clients at a time are turned away. */
const MAX_CLIENTS = 1024;

/** Requests of one client that are under way at a time. */
const MAX_UNDER_WAY = 64;

/**
 * What answers one client. Requests may be given while earlier ones are under way; the answer to each is taken when
 * those before it are complete.
 */
export interface ControlSession {
  answer(datagram: Uint8Array): AsyncIterable<Uint8Array>;
}

export interface ControlServerOptions {
  /** Where the socket is to appear. */
  readonly path: string;
  /** Permission bits of the socket. */
  readonly mode: number;
  /** Called for each client. */
  readonly createSession: () => ControlSession;
  /** Told, in one line, of sessions that failed. */
  readonly warn: (line: string) => void;
}

/** The control socket: a stream of length-prefixed datagrams in both directions. */
export class ControlServer {
  private readonly options: ControlServerOptions;
  private readonly server: Server;
  /** Each open connection and whether it has a request under way. */
  private readonly clients = new Map<Socket, boolean>();
  private inode = 0;
  private stopping = false;

  constructor(options: ControlServerOptions) {
    this.options = options;
    this.server = createServer({ allowHalfOpen: true }, (socket) => void this.serve(socket));
    this.server.maxConnections = MAX_CLIENTS;
  }

  /**
   * Listens under a temporary name and then renames, so that whoever sees the socket can use it; a socket that a killed
   * director left is replaced. The caller holds the runtime directory's lock.
   * @throws SystemError
   */
  async listen(): Promise<void> {
    const { path, mode } = this.options;
    const draft = join(dirname(path), `.nl.${process.pid}`);
    for (const name of [path, draft]) refuseLong(name);
    rmSync(draft, { force: true });
    const umask = process.umask(0o777 & ~mode);
    try {
      // The socket is bound before listen() returns.
      this.server.listen(draft);
    } finally {
      process.umask(umask);
    }
    try {
      await once(this.server, 'listening');
      chmodSync(draft, mode);
      this.inode = lstatSync(draft).ino;
      renameSync(draft, path);
    } catch (error) {
      this.server.close();
      throw new SystemError(`listen on ${path}`, error);
    }
    this.server.on('error', (error) => this.options.warn(`control socket: ${error.message}`));
  }

  /** Removes the socket, lets the answers under way out for up to `graceMs`, and closes every connection. */
  async close(graceMs: number): Promise<void> {
    this.stopping = true;
    const { path } = this.options;
    if (lstatSync(path, { throwIfNoEntry: false })?.ino === this.inode) rmSync(path, { force: true });
    const closed = new Promise((resolve) => this.server.close(resolve));
    for (const [socket, isBusy] of this.clients) if (!isBusy) socket.destroySoon();
    const timer = setTimeout(() => {
      for (const socket of this.clients.keys()) socket.destroy();
    }, graceMs);
    await closed;
    clearTimeout(timer);
  }

  private async serve(socket: Socket): Promise<void> {
    this.clients.set(socket, false);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.clients.delete(socket));
    try {
      await this.converse(socket);
      socket.destroySoon();
    } catch (error) {
      socket.destroy();
      if (!(error instanceof FramingError) && !isDisconnect(error)) {
        this.options.warn(`control connection: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }

  /**
   * Requests that came together are under way together and answered in their order. Nothing more is read meanwhile, and
   * of an answer nothing more made while the client does not read.
   */
  private async converse(socket: Socket): Promise<void> {
    const session = this.options.createSession();
    const deframer = new Deframer(MAX_REQUEST_BYTES);
    for await (const chunk of socket) {
      this.markBusy(socket, true);
      await this.answerAll(socket, session, deframer.push(chunk as Uint8Array));
      this.markBusy(socket, false);
      if (this.stopping) return;
    }
  }

  private async answerAll(
    socket: Socket,
    session: ControlSession,
    requests: Iterable<Uint8Array>,
  ): Promise<void> {
    const started: StartedAnswer[] = [];
    try {
      for (const request of requests) {
        if (this.stopping) break;
        started.push(startAnswer(session, request));
        if (started.length >= MAX_UNDER_WAY) await deliver(socket, started.shift()!);
      }
      while (started.length > 0) await deliver(socket, started.shift()!);
    } finally {
      for (const { rest } of started) await rest.return?.();
    }
  }

  private markBusy(socket: Socket, isBusy: boolean): void {
    if (this.clients.has(socket)) this.clients.set(socket, isBusy);
  }
}

interface StartedAnswer {
  readonly rest: AsyncIterator<Uint8Array>;
  readonly first: Promise<IteratorResult<Uint8Array>>;
}

/** Has the session begin with a request. */
function startAnswer(session: ControlSession, request: Uint8Array): StartedAnswer {
  const rest = session.answer(request)[Symbol.asyncIterator]();
  const first = rest.next();
  // Met when its turn has come.
  first.catch(() => {});
  return { rest, first };
}

async function deliver(socket: Socket, { rest, first }: StartedAnswer): Promise<void> {
  try {
    for (let next = await first; !next.done; next = await rest.next()) {
      if (!socket.write(frame(next.value))) await drained(socket);
    }
  } finally {
    await rest.return?.();
  }
}

class Disconnected extends Error {
  override readonly name = 'Disconnected';
}

function drained(socket: Socket): Promise<void> {
  if (socket.destroyed) return Promise.reject(new Disconnected());
  return new Promise((resolve, reject) => {
    const onDrain = (): void => {
      socket.off('close', onClose);
      resolve();
    };
    const onClose = (): void => {
      socket.off('drain', onDrain);
      reject(new Disconnected());
    };
    socket.once('drain', onDrain);
    socket.once('close', onClose);
  });
}

/** A client may go whenever it likes. */
function isDisconnect(error: unknown): boolean {
  if (error instanceof Disconnected) return true;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return ['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_DESTROYED'].includes(String(code));
}

function refuseLong(path: string): void {
  const length = Buffer.byteLength(path);
  if (length <= MAX_PATH_BYTES) return;
  const help = 'set UIPVS_RUNTIME_DIR to a shorter path';
  throw new SystemError(`listen on ${path}`, `longer than ${MAX_PATH_BYTES} bytes`, help);
}
