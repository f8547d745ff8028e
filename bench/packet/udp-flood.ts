// Sends datagrams as fast as it can: `udp-flood ADDRESS PORT SECONDS`; says how many seconds it took.
import { parseAddress } from '../../src/core/address.ts';
import { native } from '../../src/net/ffi/native.ts';
import { connectTo, openSocket, SOCK_DGRAM } from '../../test/traffic/sockets.ts';

const FLOWS = 8;
const PAYLOAD_BYTES = 64;
const BATCH = 64;
/** struct mmsghdr and struct iovec of 64-bit machines. */
const MESSAGE_BYTES = 64;
const IOVEC_BYTES = 16;
const IOVEC_AT = 16;
const IOVEC_COUNT_AT = 24;
const SENDMMSG = { x64: 307, arm64: 269 }[process.arch as 'x64' | 'arm64'];

const [address = '', port = '', seconds = ''] = process.argv.slice(2);
const target = parseAddress(address)!;
const sockets = Array.from({ length: FLOWS }, () => {
  const fd = openSocket(target.family, SOCK_DGRAM);
  const error = connectTo(fd, target, Number(port));
  if (error !== undefined) throw new Error(`connect: ${error}`);
  return fd;
});

/** BATCH messages, whose one piece is the same payload. */
const iovecAt = BATCH * MESSAGE_BYTES;
const memory = native().arena(iovecAt + IOVEC_BYTES + PAYLOAD_BYTES);
memory.view.setBigUint64(iovecAt, BigInt(memory.address + iovecAt + IOVEC_BYTES), true);
memory.view.setBigUint64(iovecAt + 8, BigInt(PAYLOAD_BYTES), true);
for (let i = 0; i < BATCH; i++) {
  memory.view.setBigUint64(i * MESSAGE_BYTES + IOVEC_AT, BigInt(memory.address + iovecAt), true);
  memory.view.setBigUint64(i * MESSAGE_BYTES + IOVEC_COUNT_AT, 1n, true);
}

const start = performance.now();
const end = start + Number(seconds) * 1000;
for (let turn = 0; performance.now() < end; turn++) {
  native().quick(SENDMMSG, sockets[turn % FLOWS]!, memory.address, BATCH, 0);
}
process.stdout.write(`${(performance.now() - start) / 1000}\n`);
process.exit(0);
