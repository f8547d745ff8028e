import { DeviceError } from '../../device-error.ts';
import { type Arena, native } from '../../ffi/native.ts';
import { INSTRUCTION_BYTES } from './assembler.ts';

// bpf(2), uapi linux/bpf.h: commands, and offsets in bytes within union bpf_attr.
const MAP_CREATE = 0;
const PROG_LOAD = 5;
const MAP_UPDATE_BATCH = 26;
const MAP_DELETE_BATCH = 27;
const LINK_CREATE = 28;

const MAP = { TYPE: 0, KEY_BYTES: 4, VALUE_BYTES: 8, ENTRIES: 12, FLAGS: 16, NAME: 28, BYTES: 72 } as const;
const BATCH = { KEYS: 16, VALUES: 24, COUNT: 32, MAP_FD: 36, BYTES: 56 } as const;
const PROGRAM = {
  TYPE: 0,
  COUNT: 4,
  CODE: 8,
  LICENSE: 16,
  LOG_LEVEL: 24,
  LOG_BYTES: 28,
  LOG: 32,
  NAME: 48,
  ATTACH_TYPE: 68,
  BYTES: 72,
} as const;
const LINK = { PROGRAM: 0, DEVICE: 4, ATTACH_TYPE: 8, BYTES: 64 } as const;

const HASH_MAP = 1;
/** Entries take memory only when they are there. */
const NO_PREALLOC = 1;
const SCHED_CLS = 3;
const TCX_INGRESS = 46;

const ATTR_BYTES = 128;
const LICENSE = 'MIT\0';
const LOG_BYTES = 65_536;

/** The size of values in bytes. */
const VALUE_BYTES = 4;

const EPERM = -1;
const EINVAL = -22;
const ENOSYS = -38;

/**
 * Makes a hash map whose values are numbers of 32 bits.
 * @returns a descriptor that the caller owns
 * @throws DeviceError
 */
export function createMap(name: string, keyBytes: number, entries: number): number {
  const result = withArena(ATTR_BYTES, ({ address, bytes, view }) => {
    view.setUint32(MAP.TYPE, HASH_MAP, true);
    view.setUint32(MAP.KEY_BYTES, keyBytes, true);
    view.setUint32(MAP.VALUE_BYTES, VALUE_BYTES, true);
    view.setUint32(MAP.ENTRIES, entries, true);
    view.setUint32(MAP.FLAGS, NO_PREALLOC, true);
    bytes.write(name, MAP.NAME);
    return bpf(MAP_CREATE, address, MAP.BYTES);
  });
  if (result < 0) throw new DeviceError('make a BPF map', result, help(result));
  return result;
}

/**
 * Puts entries into a map, or replaces them, in one system call.
 * @param keys one after the other
 * @param values one for each key
 * @throws DeviceError if not all of them fit; the first ones are there then
 */
export function updateMap(fd: number, keys: Uint8Array, values: Uint32Array): void {
  const result = batch(MAP_UPDATE_BATCH, fd, keys, values);
  if (result < 0) throw new DeviceError('fill a BPF map', result);
}

/**
 * Removes entries from a map in one system call.
 * @param count of the keys
 * @throws DeviceError if one is not there; those behind it are left
 */
export function deleteFromMap(fd: number, keys: Uint8Array, count: number): void {
  const result = batch(MAP_DELETE_BATCH, fd, keys, new Uint32Array(count));
  if (result < 0) throw new DeviceError('clear a BPF map', result);
}

/**
 * Has the kernel verify and load a program for packets that come in by a device.
 * @returns a descriptor that the caller owns
 * @throws DeviceError that says what the verifier said at last
 */
export function loadProgram(name: string, code: Uint8Array): number {
  const result = tryLoad(name, code, undefined);
  if (result >= 0) return result;
  const text = withArena(LOG_BYTES, (log) => {
    tryLoad(name, code, log);
    return log.bytes.toString('latin1', 0, Math.max(0, log.bytes.indexOf(0)));
  });
  throw new DeviceError('load a BPF program', result, lastReason(text) ?? help(result));
}

/**
 * Lets a program see the packets that come in by a device, behind those that see them already.
 * @param index of the device
 * @returns a descriptor that the caller owns; the program is off the device when it is closed
 * @throws DeviceError
 */
export function attachProgram(program: number, index: number): number {
  const result = withArena(ATTR_BYTES, ({ address, view }) => {
    view.setUint32(LINK.PROGRAM, program, true);
    view.setUint32(LINK.DEVICE, index, true);
    view.setUint32(LINK.ATTACH_TYPE, TCX_INGRESS, true);
    return bpf(LINK_CREATE, address, LINK.BYTES);
  });
  if (result < 0)
    throw new DeviceError(
      'attach a tcx program',
      result,
      result === EINVAL ? 'needs Linux 6.6' : help(result),
    );
  return result;
}

function tryLoad(name: string, code: Uint8Array, log: Arena | undefined): number {
  const textAt = ATTR_BYTES + code.length;
  return withArena(textAt + LICENSE.length, ({ address, bytes, view }) => {
    bytes.set(code, ATTR_BYTES);
    bytes.write(LICENSE, textAt);
    bytes.write(name, PROGRAM.NAME);
    view.setUint32(PROGRAM.TYPE, SCHED_CLS, true);
    view.setUint32(PROGRAM.COUNT, code.length / INSTRUCTION_BYTES, true);
    view.setBigUint64(PROGRAM.CODE, BigInt(address + ATTR_BYTES), true);
    view.setBigUint64(PROGRAM.LICENSE, BigInt(address + textAt), true);
    view.setUint32(PROGRAM.ATTACH_TYPE, TCX_INGRESS, true);
    if (log !== undefined) {
      view.setUint32(PROGRAM.LOG_LEVEL, 1, true);
      view.setUint32(PROGRAM.LOG_BYTES, log.bytes.length, true);
      view.setBigUint64(PROGRAM.LOG, BigInt(log.address), true);
    }
    return bpf(PROG_LOAD, address, PROGRAM.BYTES);
  });
}

/** The verifier ends with figures of its work; what it refuses stands before. */
function lastReason(log: string): string | undefined {
  return log
    .split('\n')
    .filter((line) => line !== '' && !/^processed \d+ insns/.test(line))
    .at(-1);
}

function batch(command: number, fd: number, keys: Uint8Array, values: Uint32Array): number {
  const valuesAt = ATTR_BYTES + keys.length + (-keys.length & 7);
  return withArena(valuesAt + values.byteLength, ({ address, bytes, view }) => {
    bytes.set(keys, ATTR_BYTES);
    values.forEach((value, i) => {
      view.setUint32(valuesAt + i * VALUE_BYTES, value, true);
    });
    view.setBigUint64(BATCH.KEYS, BigInt(address + ATTR_BYTES), true);
    view.setBigUint64(BATCH.VALUES, BigInt(address + valuesAt), true);
    view.setUint32(BATCH.COUNT, values.length, true);
    view.setUint32(BATCH.MAP_FD, fd, true);
    return bpf(command, address, BATCH.BYTES);
  });
}

const bpf = (command: number, address: number, lengthBytes: number): number =>
  native().syscall(native().calls.bpf, command, address, lengthBytes);

function help(result: number): string | undefined {
  switch (result) {
    case EPERM:
      return 'needs CAP_BPF, and that neither seccomp nor lockdown forbids bpf(2)';
    case ENOSYS:
      return 'the kernel lacks it, or a seccomp filter hides it';
    default:
      return undefined;
  }
}

/** The arena is zeroed. */
function withArena<T>(lengthBytes: number, use: (arena: Arena) => T): T {
  const arena = native().arena(lengthBytes);
  try {
    return use(arena);
  } finally {
    native().release(arena);
  }
}
