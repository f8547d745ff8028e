import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { DeviceError, errnoText, negativeErrno } from '../../../src/net/device-error.ts';
import { FFI_NAMES, native, openNative } from '../../../src/net/ffi/native.ts';

describe.each(FFI_NAMES)('the C library by %s', (name) => {
  const kernel = openNative(name);

  test('gives results and negative errnos', () => {
    expect(kernel.syscall(kernel.calls.ioctl, -1, 0, 0)).toBe(-9);
    expect(kernel.quick(kernel.calls.ioctl, -1, 0, 0, 0)).toBe(-1);
    const fd = kernel.syscall(kernel.calls.socket, 1, 1, 0);
    expect(fd).toBeGreaterThan(2);
    closeSync(fd);
  });

  test('says by which package it is called', () => {
    expect(kernel.name).toBe(name);
  });

  test('an arena is zeroed memory of whole pages, whose views and address are the same bytes', () => {
    const arena = kernel.arena(5000);
    expect(arena.bytes).toHaveLength(8192);
    expect(arena.bytes.every((byte) => byte === 0)).toBe(true);
    arena.view.setUint32(4096, 0xdeadbeef);
    expect(arena.bytes.readUInt32BE(4096)).toBe(0xdeadbeef);
    const pair = [1, 1, 0] as const;
    expect(kernel.syscall(kernel.calls.socketpair, ...pair, arena.address)).toBe(0);
    const [a, b] = [arena.view.getInt32(0, true), arena.view.getInt32(4, true)];
    writeSync(a, 'x');
    expect(readSync(b, arena.bytes, 0, 1, null)).toBe(1);
    expect(arena.bytes[0]).toBe(120);
    closeSync(a);
    closeSync(b);
    kernel.release(arena);
  });

  test('an arena that was released is taken again, zeroed', () => {
    const first = kernel.arena(12_000);
    first.bytes.fill(1);
    kernel.release(first);
    const second = kernel.arena(12_000);
    expect(second.address).toBe(first.address);
    expect(second.bytes.every((byte) => byte === 0)).toBe(true);
    expect(kernel.arena(12_000).address).not.toBe(first.address);
  });

  test('an arena larger than all memory is refused in one line', () => {
    expect(() => kernel.arena(2 ** 50)).toThrow(/^map 1125899906842624 bytes of memory: ENOMEM$/);
  });
});

test('the C library is opened once, by the fastest package that there is', () => {
  expect(native()).toBe(native());
  expect(openNative(undefined).name).toBe(FFI_NAMES[0]);
  expect(() => openNative('cffi')).toThrow(/^call the kernel: UIPVS_FFI takes koffi or ffi-rs, not 'cffi'$/);
});

test('a device error says what, why and what would help', () => {
  const error = new DeviceError('make device x', -1, 'needs CAP_NET_ADMIN');
  expect(error.message).toBe('make device x: EPERM; needs CAP_NET_ADMIN');
  expect(error.code).toBe('EPERM');
  expect(new DeviceError('load it', 'no such file').message).toBe('load it: no such file');
});

test.each([
  [11, 'EAGAIN'],
  [77, 'EBADFD'],
  [95, 'EOPNOTSUPP'],
  [105, 'ENOBUFS'],
  [4711, 'errno 4711'],
])('errno %i is %s', (errno, text) => {
  expect(errnoText(errno)).toBe(text);
});

test('an error of Node is read as -errno, any other is thrown on', () => {
  const attempt = (work: () => void): number => {
    try {
      work();
      return 0;
    } catch (error) {
      return negativeErrno(error);
    }
  };
  expect(attempt(() => openSync('/nowhere/at/all', 'r'))).toBe(-2);
  expect(() =>
    attempt(() => {
      throw new RangeError('mine');
    }),
  ).toThrow('mine');
});
