import { INSTRUCTION_LEN } from '../../src/run/bpf.ts';

/** What a seccomp filter sees of a system call. */
export interface SeenCall {
  readonly arch: number;
  readonly number: number;
  readonly args?: readonly number[];
}

/** Runs a classic BPF program as the kernel would, with the instructions that filters of ours have. */
export function runFilter(program: Uint8Array, { arch, number, args = [] }: SeenCall): number {
  const data = new DataView(new ArrayBuffer(64));
  data.setInt32(0, number, true);
  data.setUint32(4, arch, true);
  args.forEach((value, index) => {
    data.setBigInt64(16 + 8 * index, BigInt(value), true);
  });
  const code = new DataView(program.buffer, program.byteOffset, program.length);
  let accumulator = 0;
  for (let at = 0; ; ) {
    const offset = at * INSTRUCTION_LEN;
    const k = code.getUint32(offset + 4, true);
    const jump = (isTrue: boolean): number => at + 1 + code.getUint8(offset + (isTrue ? 2 : 3));
    switch (code.getUint16(offset, true)) {
      case 0x20:
        accumulator = data.getUint32(k, true);
        at++;
        break;
      case 0x54:
        accumulator = (accumulator & k) >>> 0;
        at++;
        break;
      case 0x15:
        at = jump(accumulator === k);
        break;
      case 0x35:
        at = jump(accumulator >= k);
        break;
      case 0x06:
        return k;
      default:
        throw new Error(`unknown instruction ${code.getUint16(offset, true)}`);
    }
  }
}
