import { expect, test } from 'vitest';
import { Assembler } from '../../../../src/net/packet/tcx/assembler.ts';

const hex = (code: Assembler): string[] => {
  const bytes = Buffer.from(code.code());
  return Array.from({ length: bytes.length / 8 }, (_, i) => bytes.toString('hex', i * 8, i * 8 + 8));
};

// As `llvm-mc -triple bpf -show-encoding` has them.
test.each<[string, (code: Assembler) => Assembler, string]>([
  ['r6 = r1', (code) => code.alu('mov', 'r6', 'r1'), 'bf16000000000000'],
  ['r0 = -1', (code) => code.alu('mov', 'r0', -1), 'b7000000ffffffff'],
  ['r2 += -24', (code) => code.alu('add', 'r2', -24), '07020000e8ffffff'],
  ['r0 += r1', (code) => code.alu('add', 'r0', 'r1'), '0f10000000000000'],
  ['r0 &= 65535', (code) => code.alu('and', 'r0', 0xffff), '57000000ffff0000'],
  ['r1 >>= 16', (code) => code.alu('rsh', 'r1', 16), '7701000010000000'],
  ['r1 = be16 r1', (code) => code.fromNetwork16('r1'), 'dc01000010000000'],
  ['r7 = *(u32 *)(r6 + 76)', (code) => code.load('w', 'r7', 'r6', 76), '61674c0000000000'],
  ['r0 = *(u16 *)(r7 + 20)', (code) => code.load('h', 'r0', 'r7', 20), '6970140000000000'],
  ['r8 = *(u8 *)(r7 + 23)', (code) => code.load('b', 'r8', 'r7', 23), '7178170000000000'],
  ['*(u64 *)(r10 - 40) = r0', (code) => code.store('dw', 'r10', -40, 'r0'), '7b0ad8ff00000000'],
  ['*(u8 *)(r10 - 6) = r8', (code) => code.store('b', 'r10', -6, 'r8'), '738afaff00000000'],
  ['*(u16 *)(r10 - 8) = 5', (code) => code.store('h', 'r10', -8, 5), '6a0af8ff05000000'],
  ['call 23', (code) => code.call(23), '8500000017000000'],
  ['exit', (code) => code.exit(), '9500000000000000'],
])('%s', (_, write, bytes) => {
  expect(hex(write(new Assembler()))).toEqual([bytes]);
});

test('a map takes two instructions', () => {
  expect(hex(new Assembler().loadMap('r1', 18))).toEqual(['1811000012000000', '0000000000000000']);
});

test('jumps lead to their labels, in both directions', () => {
  const code = new Assembler()
    .label('start')
    .jump('eq', 'r0', 'r2', 'end')
    .jump('set', 'r9', 16, 'end')
    .go('start')
    .label('end')
    .exit();
  expect(hex(code)).toEqual(['1d20020000000000', '4509010010000000', '0500fdff00000000', '9500000000000000']);
});

test('a label that is not there, or twice, is a defect', () => {
  expect(() => new Assembler().go('nowhere').code()).toThrow('no label nowhere');
  expect(() => new Assembler().label('here').label('here')).toThrow('two labels here');
});
