import { createSocket } from 'node:dgram';
import { parseAddress } from '../../src/core/address.ts';
import { native } from '../../src/net/ffi/native.ts';
import { connectTo, openSocket, SOCK_DGRAM } from '../traffic/sockets.ts';

/*
 * Numbered datagrams in bursts, many in one system call:
 *
 *   send ADDRESS PORT BURSTS    several flows in turn, most datagrams of one size
 *   receive ADDRESS PORT        tells at each line of input how many came of each flow, and what was not the next one
 */
const FLOWS = 4;
/** Datagrams of a flow in each burst. */
const RUN = 16;
const PAUSE_MS = 10;
/** Payload of the datagrams of a run; each begins with its flow and its number. */
const SIZES = [90, 90, 90, 90, 90, 40, 90, 90, 90, 100, 100, 100, 9, 9, 9, 9];
const HEAD_BYTES = 8;

/** struct mmsghdr and struct iovec of 64-bit machines. */
const MESSAGE_BYTES = 64;
const IOVEC_AT = 16;
const IOVEC_COUNT_AT = 24;
const SENDMMSG = { x64: 307, arm64: 269 }[process.arch as 'x64' | 'arm64'];

const [verb, host = '', port = '', bursts = ''] = process.argv.slice(2);
const target = parseAddress(host)!;
if (verb === 'send') await send();
else await receive();

function contentOf(flow: number, number: number): Buffer {
  const size = SIZES[number % SIZES.length]!;
  const content = Buffer.alloc(size, number & 255);
  content.writeUInt32BE(flow, 0);
  content.writeUInt32BE(number, 4);
  return content;
}

async function send(): Promise<void> {
  const kernel = native();
  const sockets = Array.from({ length: FLOWS }, () => {
    const fd = openSocket(target.family, SOCK_DGRAM);
    const error = connectTo(fd, target, Number(port));
    if (error !== undefined) throw new Error(`connect: ${error}`);
    return fd;
  });
  const memory = kernel.arena(65_536);
  for (let burst = 0; burst < Number(bursts); burst++) {
    for (const [flow, fd] of sockets.entries()) {
      let at = RUN * (MESSAGE_BYTES + 16);
      for (let i = 0; i < RUN; i++) {
        const content = contentOf(flow, burst * RUN + i);
        memory.bytes.set(content, at);
        const vector = RUN * MESSAGE_BYTES + 16 * i;
        memory.view.setBigUint64(vector, BigInt(memory.address + at), true);
        memory.view.setBigUint64(vector + 8, BigInt(content.length), true);
        memory.view.setBigUint64(i * MESSAGE_BYTES + IOVEC_AT, BigInt(memory.address + vector), true);
        memory.view.setBigUint64(i * MESSAGE_BYTES + IOVEC_COUNT_AT, 1n, true);
        at += content.length;
      }
      const sent = kernel.syscall(SENDMMSG, fd, memory.address, RUN, 0);
      if (sent !== RUN) throw new Error(`sendmmsg: ${sent}`);
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

async function receive(): Promise<void> {
  const counts = Array<number>(FLOWS).fill(0);
  const wrong: string[] = [];
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  socket.on('message', (message: Buffer) => {
    const flow = message.length >= HEAD_BYTES ? message.readUInt32BE(0) : -1;
    const next = counts[flow];
    if (next === undefined || !message.equals(contentOf(flow, next))) wrong.push(message.toString('hex'));
    if (next !== undefined) counts[flow] = next + 1;
  });
  await new Promise<void>((resolve) => socket.bind(Number(port), host, resolve));
  process.stdout.write('ready\n');
  process.stdin.on('data', () => {
    process.stdout.write(`${JSON.stringify({ counts, wrong: wrong.slice(0, 3) })}\n`);
  });
  process.stdin.on('end', () => socket.close());
}
