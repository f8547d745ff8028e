import { once } from 'node:events';
import { chmodSync, lstatSync, renameSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { type ControlSession, Conversation, Disconnected } from './conversation.ts';
import { FramingError } from './framing.ts';
import { SystemError } from './system-error.ts';

/** Bytes of sockaddr_un's path without the final zero; the kernel and libuv take no longer one. */
const MAX_PATH_BYTES = 107;
/** More clients at a time are turned away. */
const MAX_CLIENTS = 1024;

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
  private readonly clients = new Map<Socket, Conversation>();
  private inode = 0;

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
    const { path } = this.options;
    if (lstatSync(path, { throwIfNoEntry: false })?.ino === this.inode) rmSync(path, { force: true });
    const closed = new Promise((resolve) => this.server.close(resolve));
    for (const conversation of this.clients.values()) conversation.stop();
    const timer = setTimeout(() => {
      for (const socket of this.clients.keys()) socket.destroy();
    }, graceMs);
    await closed;
    clearTimeout(timer);
  }

  private async serve(socket: Socket): Promise<void> {
    const conversation = new Conversation(socket, this.options.createSession());
    this.clients.set(socket, conversation);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.clients.delete(socket));
    try {
      await conversation.ended;
      socket.destroySoon();
    } catch (error) {
      socket.destroy();
      if (!(error instanceof FramingError) && !(error instanceof Disconnected)) {
        this.options.warn(`control connection: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }
}

function refuseLong(path: string): void {
  const length = Buffer.byteLength(path);
  if (length <= MAX_PATH_BYTES) return;
  const help = 'set UIPVS_RUNTIME_DIR to a shorter path';
  throw new SystemError(`listen on ${path}`, `longer than ${MAX_PATH_BYTES} bytes`, help);
}
