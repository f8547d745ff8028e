import { describe, expect, test } from 'vitest';
import { type Native, native } from '../../src/net/ffi/native.ts';
import { ARCHITECTURES } from '../../src/run/abi.ts';
import { MemoryAccess, Unreachable } from '../../src/run/client-memory.ts';
import { OwnerAccess } from '../../src/run/owner-access.ts';

const arch = ARCHITECTURES[process.arch as keyof typeof ARCHITECTURES];
const real = native();
const EPERM = -1;

/** Calls of a kernel that lets no process into the memory of another by system calls. */
const refusing: Native = {
  name: 'koffi',
  calls: real.calls,
  syscall: (call, ...words) =>
    call === arch.syscalls.process_vm_readv || call === arch.syscalls.process_vm_writev
      ? EPERM
      : real.syscall(call, ...words),
  quick: (...words) => real.quick(...words),
  arena: (length) => real.arena(length),
  release: (arena) => real.release(arena),
  mapFile: (fd, length, offset) => real.mapFile(fd, length, offset),
};

/* The program is this process itself, its memory an arena. */
describe.each([
  { way: 'by system calls, or by files where those cost less', kernel: real },
  { way: 'by files where the kernel refuses the calls', kernel: refusing },
])('the memory of a program, $way', ({ kernel }) => {
  const access = new MemoryAccess(kernel, arch, new OwnerAccess(kernel, arch));
  const arena = real.arena(8192);

  test('is read, and written in parts', () => {
    const memory = access.of(process.pid);
    arena.bytes.write('hello\0', 100, 'latin1');
    expect(memory.read(arena.address + 101, 4).toString('latin1')).toBe('ello');
    expect(memory.readText(arena.address + 100, 64)).toBe('hello');
    memory.writeAll([
      { address: arena.address + 4096, bytes: Uint8Array.of(1, 2) },
      { address: arena.address + 10, bytes: Uint8Array.of(3) },
    ]);
    expect([arena.bytes[4096], arena.bytes[4097], arena.bytes[10]]).toEqual([1, 2, 3]);
    memory.close();
  });

  test('that is not there is unreachable', () => {
    const memory = access.of(process.pid);
    expect(() => memory.read(4, 8)).toThrow(Unreachable);
    expect(() => memory.write(4, Uint8Array.of(1))).toThrow(Unreachable);
    expect(memory.readSome(4, 8)).toHaveLength(0);
    memory.close();
  });
});
