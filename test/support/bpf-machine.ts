/**
 * Runs programs of the BPF machine as far as the assembler writes them. What the kernel's verifier forbids is an error: an
 * access outside of the memory that there is, or of a register that was not written, and running in a circle.
 */

const STACK_BYTES = 512;
const MASK = (1n << 64n) - 1n;
const MOST_STEPS = 10_000;

/** Where parts of the memory are; those of one kind are far from each other. */
export const BASE = { CONTEXT: 0x1000n, PACKET: 0x10_0000n, STACK: 0x20_0000n, VALUE: 0x30_0000n } as const;

/** A function of the kernel. @returns r0 */
export type Helper = (machine: BpfMachine, args: readonly bigint[]) => bigint;

export class BpfMachine {
  private readonly code: DataView;
  private readonly helpers: Readonly<Record<number, Helper>>;
  private readonly registers: (bigint | undefined)[] = Array(11).fill(undefined);
  private readonly memory = new Map<bigint, Uint8Array>();

  constructor(code: Uint8Array, helpers: Readonly<Record<number, Helper>>) {
    this.code = new DataView(code.buffer, code.byteOffset, code.length);
    this.helpers = helpers;
  }

  /** Adds memory, or replaces what is there. */
  map(base: bigint, bytes: Uint8Array): void {
    this.memory.set(base, bytes);
  }

  /** @returns r0 as a signed number */
  run(): number {
    this.map(BASE.STACK, new Uint8Array(STACK_BYTES));
    this.registers[1] = BASE.CONTEXT;
    this.registers[10] = BASE.STACK + BigInt(STACK_BYTES);
    let at = 0;
    for (let steps = 0; steps < MOST_STEPS; steps++) {
      if (this.code.getUint8(at * 8) === 0x95) return Number(BigInt.asIntN(32, this.read(0)));
      at = this.step(at);
    }
    throw new Error('runs in a circle');
  }

  /** @returns the bytes, which are those of the memory */
  bytes(address: bigint, length: number): Uint8Array {
    for (const [base, bytes] of this.memory) {
      const from = Number(address - base);
      if (from >= 0 && from + length <= bytes.length) return bytes.subarray(from, from + length);
    }
    throw new Error(`access to ${length} bytes at ${address.toString(16)}`);
  }

  /** @returns the index of the next instruction */
  private step(at: number): number {
    const opcode = this.code.getUint8(at * 8);
    const registers = this.code.getUint8(at * 8 + 1);
    const [to, from] = [registers & 15, registers >> 4];
    const offset = this.code.getInt16(at * 8 + 2, true);
    const constant = BigInt(this.code.getInt32(at * 8 + 4, true));
    const operand = (): bigint => ((opcode & 8) !== 0 ? this.read(from) : constant & MASK);
    switch (opcode & 7) {
      case 1:
        this.registers[to] = numberIn(this.bytes(this.read(from) + BigInt(offset), widthOf(opcode)));
        return at + 1;
      case 2:
      case 3: {
        const value = (opcode & 7) === 3 ? this.read(from) : constant;
        writeNumber(this.bytes(this.read(to) + BigInt(offset), widthOf(opcode)), value);
        return at + 1;
      }
      case 0:
        this.registers[to] = constant;
        return at + 2;
      case 4:
        this.registers[to] = swapped16(this.read(to));
        return at + 1;
      case 5:
        if (opcode === 0x85) return this.call(Number(constant), at);
        return at + 1 + (opcode === 0x05 || holds(opcode, this.read(to), operand()) ? offset : 0);
      default:
        this.registers[to] = calculate(opcode, (opcode & 0xf0) === 0xb0 ? 0n : this.read(to), operand());
        return at + 1;
    }
  }

  private call(helper: number, at: number): number {
    const found = this.helpers[helper];
    if (!found) throw new Error(`no helper ${helper}`);
    const args = this.registers.slice(1, 6).map((value) => value ?? 0n);
    this.registers[0] = found(this, args) & MASK;
    this.registers.fill(undefined, 1, 6);
    return at + 1;
  }

  private read(register: number): bigint {
    const value = this.registers[register];
    if (value === undefined) throw new Error(`r${register} was not written`);
    return value;
  }
}

const WIDTHS: Readonly<Record<number, number>> = { 0: 4, 8: 2, 16: 1, 24: 8 };
const widthOf = (opcode: number): number => WIDTHS[opcode & 0x18]!;

const numberIn = (bytes: Uint8Array): bigint =>
  bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);

function writeNumber(bytes: Uint8Array, value: bigint): void {
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number((value >> BigInt(8 * i)) & 0xffn);
}

const swapped16 = (value: bigint): bigint => ((value & 0xffn) << 8n) | ((value >> 8n) & 0xffn);

function calculate(opcode: number, left: bigint, right: bigint): bigint {
  switch (opcode & 0xf0) {
    case 0x00:
      return (left + right) & MASK;
    case 0x50:
      return left & right;
    case 0x70:
      return left >> right;
    case 0xb0:
      return right;
    default:
      throw new Error(`no operation ${opcode}`);
  }
}

function holds(opcode: number, left: bigint, right: bigint): boolean {
  switch (opcode & 0xf0) {
    case 0x10:
      return left === right;
    case 0x20:
      return left > right;
    case 0x30:
      return left >= right;
    case 0x40:
      return (left & right) !== 0n;
    case 0x50:
      return left !== right;
    case 0xa0:
      return left < right;
    default:
      throw new Error(`no condition ${opcode}`);
  }
}
