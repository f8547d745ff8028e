import { closeSync } from 'node:fs';
import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net';
import { DeviceError, errnoText, negativeErrno } from '../device-error.ts';
import { native } from '../ffi/native.ts';

const AF_UNIX = 1;
const SOCK_STREAM_CLOEXEC = 1 | 0o2000000;
const PIPE_KIND_SOCKET = 0;

/** What Node wraps around a libuv pipe; it opens any descriptor that can be polled. */
interface PipeHandle {
  /** @returns 0 or -errno */
  open(fd: number): number;
}

type PipeConstructor = new (kind: number) => PipeHandle;

let constructorOfPipes: PipeConstructor | undefined;

export interface FdStreamOptions {
  /** Read into, from its start, for every read. */
  readonly buffer: Uint8Array;
  /** @param length how many bytes of the buffer were read; they are valid until this returns */
  readonly onRead: (length: number) => void;
  /** The descriptor can no longer be read; `code` is an errno's name, or 'EOF'. Not called after `close`. */
  readonly onLost: (code: string) => void;
}

/** Reads a descriptor of any kind that can be polled on libuv's loop, level-triggered, into one buffer. */
export class FdStream {
  private readonly socket: Socket;
  private readonly closed: Promise<void>;

  /**
   * Takes the descriptor over, also if it throws.
   * @throws DeviceError if this Node.js or this descriptor does not allow it
   */
  constructor(fd: number, { buffer, onRead, onLost }: FdStreamOptions) {
    const handle = openHandle(fd);
    const options: SocketConstructorOpts & { handle: PipeHandle; onread: OnReadOpts } = {
      handle,
      readable: true,
      writable: false,
      onread: {
        buffer,
        callback: (length) => {
          onRead(length);
          return true;
        },
      },
    };
    this.socket = new Socket(options);
    this.socket.on('error', (error) => onLost(errnoText(-negativeErrno(error))));
    this.socket.on('end', () => onLost('EOF'));
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()));
  }

  /** Closes the descriptor at once; resolves when the loop has forgotten it and the buffer. */
  close(): Promise<void> {
    this.socket.removeAllListeners('end').destroy();
    return this.closed;
  }
}

function openHandle(fd: number): PipeHandle {
  try {
    constructorOfPipes ??= findPipeConstructor();
    const handle = new constructorOfPipes(PIPE_KIND_SOCKET);
    const result = handle.open(fd);
    if (result !== 0) throw new DeviceError(`wait for descriptor ${fd}`, result);
    return handle;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Node does not export the class; a socket on one end of a pair has an instance. */
function findPipeConstructor(): PipeConstructor {
  const memory = native().arena(8);
  const result = native().syscall(native().calls.socketpair, AF_UNIX, SOCK_STREAM_CLOEXEC, 0, memory.address);
  const [end, other] = [memory.view.getInt32(0, true), memory.view.getInt32(4, true)];
  native().release(memory);
  if (result < 0) throw new DeviceError('make a pair of sockets', result);
  closeSync(other);
  const socket = new Socket({ fd: end, readable: false, writable: false });
  const handle: unknown = Reflect.get(socket, '_handle');
  socket.destroy();
  if (typeof handle !== 'object' || handle === null || !('open' in handle))
    throw new DeviceError('wait for a descriptor', 'this Node.js shows no handle of a socket');
  return handle.constructor as PipeConstructor;
}
