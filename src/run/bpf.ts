/** One instruction of a classic BPF program; jumps name labels, absent ones go to the next instruction. */
export type Instruction =
  | { readonly op: 'load'; readonly offset: number }
  | { readonly op: 'and'; readonly mask: number }
  | {
      readonly op: 'if-equal' | 'if-at-least';
      readonly value: number;
      readonly then?: string;
      readonly else?: string;
    }
  | { readonly op: 'return'; readonly value: number }
  | { readonly op: 'label'; readonly name: string };

/** Bytes of struct sock_filter. */
export const INSTRUCTION_LEN = 8;

/** linux/bpf_common.h. */
const CODE = { load: 0x20, and: 0x54, 'if-equal': 0x15, 'if-at-least': 0x35, return: 0x06 } as const;
/** A jump's offset is a byte. */
const MAX_JUMP = 255;

/** Loads a 32-bit word of what the program looks at. @param offset bytes */
export const load = (offset: number): Instruction => ({ op: 'load', offset });
export const and = (mask: number): Instruction => ({ op: 'and', mask });
export const label = (name: string): Instruction => ({ op: 'label', name });
export const give = (value: number): Instruction => ({ op: 'return', value });
export const ifEqual = (value: number, then?: string, otherwise?: string): Instruction =>
  jump('if-equal', value, then, otherwise);
export const ifAtLeast = (value: number, then?: string, otherwise?: string): Instruction =>
  jump('if-at-least', value, then, otherwise);

/** @returns the program as an array of struct sock_filter. @throws Error for a label that is unknown or too far */
export function assemble(program: readonly Instruction[]): Uint8Array {
  const positions = new Map<string, number>();
  let count = 0;
  for (const instruction of program) {
    if (instruction.op === 'label') positions.set(instruction.name, count);
    else count++;
  }
  const bytes = new Uint8Array(count * INSTRUCTION_LEN);
  const view = new DataView(bytes.buffer);
  const distance = (name: string | undefined, from: number): number => {
    if (name === undefined) return 0;
    const offset = (positions.get(name) ?? -1) - from - 1;
    if (offset < 0 || offset > MAX_JUMP) throw new Error(`no jump to ${name} from ${from}`);
    return offset;
  };
  let at = 0;
  for (const instruction of program) {
    if (instruction.op === 'label') continue;
    view.setUint16(at * INSTRUCTION_LEN, CODE[instruction.op], true);
    if ('then' in instruction) view.setUint8(at * INSTRUCTION_LEN + 2, distance(instruction.then, at));
    if ('else' in instruction) view.setUint8(at * INSTRUCTION_LEN + 3, distance(instruction.else, at));
    view.setUint32(at * INSTRUCTION_LEN + 4, operand(instruction), true);
    at++;
  }
  return bytes;
}

function jump(
  op: 'if-equal' | 'if-at-least',
  value: number,
  then: string | undefined,
  otherwise: string | undefined,
): Instruction {
  return {
    op,
    value,
    ...(then !== undefined && { then }),
    ...(otherwise !== undefined && { else: otherwise }),
  };
}

function operand(instruction: Exclude<Instruction, { op: 'label' }>): number {
  if (instruction.op === 'load') return instruction.offset;
  return instruction.op === 'and' ? instruction.mask : instruction.value;
}
