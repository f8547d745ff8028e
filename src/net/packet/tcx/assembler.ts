const REGISTERS = ['r0', 'r1', 'r2', 'r3', 'r4', 'r5', 'r6', 'r7', 'r8', 'r9', 'r10'] as const;

/** r0: results; r1 to r5: arguments, lost by calls; r6 to r9: kept by calls; r10: end of the stack. */
export type Register = (typeof REGISTERS)[number];

/** Widths of memory accesses: 1, 2, 4 and 8 bytes. */
const WIDTH = { b: 0x10, h: 0x08, w: 0x00, dw: 0x18 } as const;
export type Width = keyof typeof WIDTH;

/** 64 bits wide. */
const ALU = { add: 0x07, and: 0x57, rsh: 0x77, mov: 0xb7 } as const;
export type Operation = keyof typeof ALU;

/** Conditions, numbers counting as unsigned; `set`: both have one of the bits. */
const JUMP = { eq: 0x15, gt: 0x25, ge: 0x35, set: 0x45, ne: 0x55, lt: 0xa5 } as const;
export type Condition = keyof typeof JUMP;

/** Set in the opcode of arithmetic and jumps whose second operand is a register. */
const FROM_REGISTER = 0x08;

const LOAD = 0x61;
const STORE = 0x63;
const STORE_CONSTANT = 0x62;
const FROM_NETWORK = 0xdc;
const LOAD_WIDE = 0x18;
const CALL = 0x85;
const EXIT = 0x95;
const GO = 0x05;

/** In the place of the source register: the constant is a map's descriptor. */
const MAP_DESCRIPTOR = 1;

/** Size of an instruction: opcode, registers (destination in the low half), offset (2 bytes), constant (4). */
export const INSTRUCTION_BYTES = 8;

interface Instruction {
  readonly opcode: number;
  readonly to: number;
  readonly from: number;
  readonly offset: number;
  readonly constant: number;
  /** Where a jump leads; '' for what is none. */
  readonly target: string;
}

/** Writes programs for the kernel's BPF machine (RFC 9669), as far as is needed here. Constants have 32 bits, signed. */
export class Assembler {
  private readonly instructions: Instruction[] = [];
  private readonly labels = new Map<string, number>();

  /** Names the next instruction. */
  label(name: string): this {
    if (this.labels.has(name)) throw new Error(`two labels ${name}`);
    this.labels.set(name, this.instructions.length);
    return this;
  }

  /** `to = to operation from`; `mov`: `to = from`. */
  alu(operation: Operation, to: Register, from: Register | number): this {
    return this.operands(ALU[operation], to, from, '');
  }

  /** Turns the low 16 bits from network order; the others become 0. */
  fromNetwork16(register: Register): this {
    return this.put({ opcode: FROM_NETWORK, to: numberOf(register), constant: 16 });
  }

  load(width: Width, to: Register, base: Register, offset: number): this {
    return this.put({ opcode: LOAD | WIDTH[width], to: numberOf(to), from: numberOf(base), offset });
  }

  store(width: Width, base: Register, offset: number, from: Register | number): this {
    const at = { to: numberOf(base), offset };
    return typeof from === 'number'
      ? this.put({ opcode: STORE_CONSTANT | WIDTH[width], ...at, constant: from })
      : this.put({ opcode: STORE | WIDTH[width], ...at, from: numberOf(from) });
  }

  /** Goes to a label if the condition holds. */
  jump(condition: Condition, left: Register, right: Register | number, target: string): this {
    return this.operands(JUMP[condition], left, right, target);
  }

  go(target: string): this {
    return this.put({ opcode: GO, target });
  }

  /** Loads a map by its descriptor. */
  loadMap(to: Register, fd: number): this {
    this.put({ opcode: LOAD_WIDE, to: numberOf(to), from: MAP_DESCRIPTOR, constant: fd });
    return this.put({ opcode: 0 });
  }

  /** Calls a function of the kernel by its number (uapi linux/bpf.h, BPF_FUNC_*). */
  call(helper: number): this {
    return this.put({ opcode: CALL, constant: helper });
  }

  exit(): this {
    return this.put({ opcode: EXIT });
  }

  /** @throws Error for a jump to a label that is not there */
  code(): Uint8Array {
    const bytes = new Uint8Array(this.instructions.length * INSTRUCTION_BYTES);
    const view = new DataView(bytes.buffer);
    this.instructions.forEach(({ opcode, to, from, offset, constant, target }, i) => {
      const at = i * INSTRUCTION_BYTES;
      view.setUint8(at, opcode);
      view.setUint8(at + 1, to | (from << 4));
      view.setInt16(at + 2, target === '' ? offset : this.find(target) - i - 1, true);
      view.setInt32(at + 4, constant, true);
    });
    return bytes;
  }

  private operands(opcode: number, to: Register, from: Register | number, target: string): this {
    return typeof from === 'number'
      ? this.put({ opcode, to: numberOf(to), constant: from, target })
      : this.put({ opcode: opcode | FROM_REGISTER, to: numberOf(to), from: numberOf(from), target });
  }

  private put(parts: Pick<Instruction, 'opcode'> & Partial<Instruction>): this {
    this.instructions.push({ to: 0, from: 0, offset: 0, constant: 0, target: '', ...parts });
    return this;
  }

  private find(label: string): number {
    const found = this.labels.get(label);
    if (found === undefined) throw new Error(`no label ${label}`);
    return found;
  }
}

const numberOf = (register: Register): number => REGISTERS.indexOf(register);
