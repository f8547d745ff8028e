import { createServer, type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net';
import { DeviceError, errnoText, negativeErrno } from '../../device-error.ts';

/** More than any packet: nothing is cut off. */
const PACKET_BYTES = 2 ** 17;

/** What libuv calls a pipe: reads a descriptor of any kind on the loop. */
interface PipeHandle {
  /** @returns 0, or a negative errno */
  open(fd: number): number;
}
type PipeConstructor = new (kind: number) => PipeHandle;

const PIPE_KIND_SOCKET = 0;

/** Reads packets from a descriptor on Node's loop, one for each read. */
export class PacketReader {
  private readonly socket: Socket;

  private constructor(socket: Socket) {
    this.socket = socket;
  }

  /**
   * Takes the descriptor over; empty packets must not come.
   * @param onPacket gets bytes that are valid until it returns
   * @param onEnd the descriptor can no longer be read, with the errno's name; not called after `close`
   */
  static async open(
    fd: number,
    onPacket: (bytes: Buffer, length: number) => void,
    onEnd: (code: string) => void,
  ): Promise<PacketReader> {
    const Pipe = await pipeConstructor();
    const handle = new Pipe(PIPE_KIND_SOCKET);
    const result = handle.open(fd);
    if (result !== 0) throw new DeviceError(`wait for descriptor ${fd}`, result);
    const buffer = Buffer.allocUnsafeSlow(PACKET_BYTES);
    const options: SocketConstructorOpts & { handle: PipeHandle; onread: OnReadOpts } = {
      handle,
      readable: true,
      writable: false,
      onread: {
        buffer,
        callback: (length) => {
          onPacket(buffer, length);
          return true;
        },
      },
    };
    const socket = new Socket(options);
    const reader = new PacketReader(socket);
    socket.on('error', (error) => onEnd(errnoText(-negativeErrno(error))));
    socket.on('end', () => onEnd('end'));
    return reader;
  }

  /** Closes the descriptor. */
  close(): void {
    this.socket.removeAllListeners('end').destroy();
  }
}

/** Node does not export it; a server on a Unix socket has one. */
async function pipeConstructor(): Promise<PipeConstructor> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(`\0uipvs-pipe-${process.pid}-${process.hrtime.bigint()}`, resolve);
  });
  const handle: unknown = '_handle' in server ? server._handle : undefined;
  server.close();
  if (typeof handle !== 'object' || handle === null)
    throw new Error('this Node.js shows no handle of a server');
  return handle.constructor as PipeConstructor;
}
