import type { Socket } from 'node:net';

/** How long a close waits for the other end. */
const CLOSE_MS = 3000;
/** How long a reset is given to reach the other end. */
const RESET_MS = 200;

/** One end of a TCP connection: what has come, and what has gone wrong. */
export class Stream {
  readonly socket: Socket;
  text = '';
  /** Bytes since `expectAnew`. */
  received = 0;
  hasEnded = false;
  /** The errno's name of what the next call would say. */
  error: string | undefined;
  private onChange: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (data) => {
      this.received += data.length;
      if (this.text.length < 100) this.text += data.toString('latin1');
      this.onChange();
    });
    socket.on('end', () => {
      this.hasEnded = true;
      this.onChange();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.error = error.code ?? error.message;
      this.onChange();
    });
  }

  get isOver(): boolean {
    return this.hasEnded || this.error !== undefined || this.socket.destroyed;
  }

  /** @returns whether it came to hold in time; it gives up early when nothing more can come */
  async until(holds: () => boolean, limitMs: number): Promise<boolean> {
    if (holds() || this.isOver) return holds();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, limitMs);
      this.onChange = () => {
        if (!holds() && !this.isOver) return;
        clearTimeout(timer);
        resolve();
      };
    });
    this.onChange = () => {};
    return holds();
  }
}

/** Closes both ends. @param how who ends first, or `rst` for a reset by the client */
export async function closeBoth(client: Stream, server: Stream | undefined, how: string): Promise<void> {
  if (how === 'rst') {
    client.socket.resetAndDestroy();
    await server?.until(() => server.isOver, RESET_MS);
    server?.socket.destroy();
    return;
  }
  if (server !== undefined && client.error === undefined) {
    const [first, second] = how === 'client' ? [client, server] : [server, client];
    first.socket.end();
    await second.until(() => second.isOver, CLOSE_MS);
    second.socket.end();
    second.socket.destroySoon();
    await first.until(() => first.isOver, CLOSE_MS);
  }
  client.socket.destroy();
  server?.socket.destroy();
}
