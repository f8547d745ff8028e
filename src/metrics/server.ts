import { once } from 'node:events';
import { chmodSync, lstatSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import type { Exposition } from './exposition.ts';
import type { Health } from './health.ts';
import type { ListenAddress } from './listen-address.ts';

const PLAIN = 'text/plain; charset=utf-8';
/** More connections at a time are turned away. */
const MAX_CONNECTIONS = 64;
/** Bytes of sockaddr_un's path without the final zero. */
const MAX_PATH_BYTES = 107;

export interface MetricsServerOptions {
  readonly address: ListenAddress;
  /** Permission bits of a Unix socket. */
  readonly mode: number;
  readonly exposition: Pick<Exposition, 'render' | 'contentType'>;
  readonly health: Pick<Health, 'illness' | 'unreadiness'>;
  /** Takes one line for people. */
  readonly warn: (line: string) => void;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** Answers `/metrics`, `/healthz` and `/readyz` over HTTP, on a TCP port or a Unix socket. */
export class MetricsServer {
  private readonly options: MetricsServerOptions;
  private readonly server: Server;

  constructor(options: MetricsServerOptions) {
    this.options = options;
    this.server = createServer((request, response) => void this.serve(request, response));
    this.server.maxConnections = MAX_CONNECTIONS;
  }

  /**
   * A Unix socket that a killed process left is replaced.
   * @returns where it listens, with the port that was found for port 0
   * @throws the system's error
   */
  async listen(): Promise<ListenAddress> {
    const { address, mode, warn } = this.options;
    if ('path' in address) {
      await this.bind(address.path, mode);
    } else {
      this.server.listen(address);
      await once(this.server, 'listening');
    }
    this.server.on('error', (error) => warn(`metrics: ${error.message}`));
    const bound = this.server.address();
    return bound !== null && typeof bound === 'object' && 'host' in address
      ? { host: address.host, port: bound.port }
      : address;
  }

  /** Stops listening and ends every connection. */
  async close(): Promise<void> {
    if (!this.server.listening) return;
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }

  private async bind(path: string, mode: number): Promise<void> {
    if (Buffer.byteLength(path) > MAX_PATH_BYTES)
      throw Object.assign(new Error('the path is too long'), { code: 'ENAMETOOLONG' });
    if (await isAbandoned(path)) rmSync(path, { force: true });
    const umask = process.umask(0o777 & ~mode);
    try {
      // The socket is bound before listen() returns.
      this.server.listen(path);
    } finally {
      process.umask(umask);
    }
    await once(this.server, 'listening');
    chmodSync(path, mode);
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const { status, type, body } = await this.answer(request);
      const headers = { 'content-type': type, 'content-length': Buffer.byteLength(body) };
      response.writeHead(status, status === 405 ? { ...headers, allow: 'GET, HEAD' } : headers).end(body);
    } catch (error) {
      this.options.warn(`metrics: ${error instanceof Error ? error.message : String(error)}`);
      response.destroy();
    }
  }

  private async answer({ method, url = '' }: IncomingMessage): Promise<Answer> {
    const { exposition, health } = this.options;
    if (method !== 'GET' && method !== 'HEAD') return plain(405, 'only GET and HEAD are answered');
    switch (url.split('?', 1)[0]) {
      case '/metrics':
        return { status: 200, type: exposition.contentType, body: await exposition.render() };
      case '/healthz':
        return verdict('ok', 'not healthy', await health.illness());
      case '/readyz':
        return verdict('ready', 'not ready', await health.unreadiness());
      default:
        return plain(404, 'there are /metrics, /healthz and /readyz');
    }
  }
}

const plain = (status: number, line: string): Answer => ({ status, type: PLAIN, body: `${line}\n` });

const verdict = (good: string, bad: string, reason: string | undefined): Answer =>
  reason === undefined ? plain(200, good) : plain(503, `${bad}: ${reason}`);

/** @returns whether the path is a socket that nobody listens on. */
async function isAbandoned(path: string): Promise<boolean> {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSocket()) return false;
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
  } finally {
    socket.destroy();
  }
}
