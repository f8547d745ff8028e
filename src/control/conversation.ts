import type { Socket } from 'node:net';
import { Deframer, frame, MAX_REQUEST_BYTES } from './framing.ts';

/** Requests of one client that are under way at a time. */
const MAX_UNDER_WAY = 64;
/** Datagrams of an answer are written together as far as they have this many bytes. */
const WRITE_BYTES = 65536;

/** What answers one client. */
export interface ControlSession {
  /**
   * Begins with the requests of a datagram, each when it is taken from the result, while earlier ones may be under way. The
   * datagrams of an answer are made as they are taken, when the answers before it are complete.
   */
  answer(datagram: Uint8Array): Iterable<Promise<Iterable<Uint8Array>>>;
}

/**
 * One client's connection. Requests that came together are under way together and answered in their order. Little more is
 * read meanwhile, and of an answer nothing more made while the client does not read.
 */
export class Conversation {
  /** Resolves when no more is to be answered. Rejects with FramingError, Disconnected, or an error of the session. */
  readonly ended: Promise<void>;
  private readonly socket: Socket;
  private readonly session: ControlSession;
  private readonly deframer = new Deframer(MAX_REQUEST_BYTES);
  /** Came while requests were under way. */
  private chunks: Uint8Array[] = [];
  private isBusy = false;
  private isLast = false;
  private isStopping = false;
  private resolve: () => void = () => {};
  private reject: (error: unknown) => void = () => {};

  constructor(socket: Socket, session: ControlSession) {
    this.socket = socket;
    this.session = session;
    this.ended = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    socket.on('data', (chunk: Uint8Array) => this.take(chunk));
    socket.on('end', () => this.end());
    socket.on('close', () => this.end());
  }

  /** Begins with no further request. */
  stop(): void {
    this.isStopping = true;
    this.end();
  }

  private end(): void {
    this.isLast = true;
    if (!this.isBusy) this.resolve();
  }

  private take(chunk: Uint8Array): void {
    this.chunks.push(chunk);
    if (this.isBusy) this.socket.pause();
    else this.work().catch(this.reject);
  }

  private async work(): Promise<void> {
    this.isBusy = true;
    for (let chunk = this.chunks.shift(); chunk; chunk = this.chunks.shift()) await this.answerAll(chunk);
    this.isBusy = false;
    if (this.isLast) this.resolve();
    else if (this.socket.isPaused()) this.socket.resume();
  }

  private async answerAll(chunk: Uint8Array): Promise<void> {
    const underWay: Promise<Iterable<Uint8Array>>[] = [];
    for (const datagram of this.deframer.push(chunk)) {
      if (this.isStopping) break;
      for (const answer of this.session.answer(datagram)) {
        // Met when its turn has come.
        answer.catch(() => {});
        underWay.push(answer);
        if (underWay.length >= MAX_UNDER_WAY) await this.deliver(await underWay.shift()!);
      }
    }
    for (const answer of underWay) await this.deliver(await answer);
  }

  private async deliver(answer: Iterable<Uint8Array>): Promise<void> {
    let frames: Uint8Array[] = [];
    let length = 0;
    for (const datagram of answer) {
      const framed = frame(datagram);
      frames.push(framed);
      length += framed.length;
      if (length < WRITE_BYTES) continue;
      await this.write(frames);
      frames = [];
      length = 0;
    }
    if (length > 0) await this.write(frames);
  }

  private async write(frames: readonly Uint8Array[]): Promise<void> {
    const bytes = frames.length === 1 ? frames[0]! : Buffer.concat(frames);
    if (!this.socket.write(bytes)) await drained(this.socket);
  }
}

/** The client has gone before it had its answer, as it may. */
export class Disconnected extends Error {
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
