import { connect, type Socket } from 'node:net';
import { Deframer, frame } from './framing.ts';

/** The longest datagram that a director sends. */
const MAX_REPLY_BYTES = 64 << 20;

interface Exchange {
  /** Takes a reply; true if it was the last one. */
  readonly take: (reply: Uint8Array) => boolean;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** A connection to a director's control socket, over which one exchange follows the other. */
export class ClientStream {
  private readonly socket: Socket;
  private readonly deframer = new Deframer(MAX_REPLY_BYTES);
  /** In the order of their requests; the first one gets the replies. */
  private readonly exchanges: Exchange[] = [];
  private failure: Error | undefined;

  /** Rejects with Node's error if nobody listens at `path`. */
  static open(path: string): Promise<ClientStream> {
    return new Promise((resolve, reject) => {
      const socket = connect(path);
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new ClientStream(socket));
      });
    });
  }

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Uint8Array) => this.take(chunk));
    socket.on('error', (error) => this.fail(error));
    socket.on('close', () => this.fail(lost()));
  }

  /**
   * Sends a request and hands each reply datagram to `take` when it comes, until that says that it was the last one.
   * Requests may be sent without waiting for the answers to earlier ones. Rejects if the connection is lost.
   */
  exchange(request: Uint8Array, take: Exchange['take']): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.failure) return reject(this.failure);
      this.exchanges.push({ take, resolve, reject });
      this.socket.write(frame(request));
    });
  }

  /** Ends the connection; exchanges under way are rejected. */
  close(): void {
    this.socket.destroy();
  }

  private take(chunk: Uint8Array): void {
    try {
      for (const datagram of this.deframer.push(chunk)) this.deliver(datagram);
    } catch (error) {
      this.socket.destroy(error instanceof Error ? error : undefined);
    }
  }

  private deliver(datagram: Uint8Array): void {
    const current = this.exchanges[0];
    if (!current?.take(datagram)) return;
    this.exchanges.shift();
    current.resolve();
  }

  private fail(error: Error): void {
    this.failure ??= error;
    for (const exchange of this.exchanges.splice(0)) exchange.reject(this.failure);
  }
}

function lost(): Error {
  return Object.assign(new Error('the director closed the connection'), { code: 'ECONNRESET' });
}
