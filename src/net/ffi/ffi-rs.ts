import { DeviceError } from '../device-error.ts';
import { CLibrary, loadPackage, openCLibrary } from './c-library.ts';
import type { Native, SystemCalls } from './native.ts';

type Ffi = typeof import('ffi-rs');

const ENOMEM = 12;

/** @throws DeviceError */
export function loadFfiRs(calls: SystemCalls): Native {
  const ffi = loadPackage<Ffi>('ffi-rs');
  openCLibrary((path) => ffi.open({ library: 'c', path }));
  return new FfiRs(ffi, calls);
}

/** 7 to 11 us a call, so calls are for set-up and for whole batches. Parameter objects are reused. */
class FfiRs extends CLibrary {
  override readonly name = 'ffi-rs';
  private readonly ffi: Ffi;
  private readonly all: number[] = [0, 0, 0, 0, 0, 0, 0];
  private readonly few: number[] = [0, 0, 0, 0, 0];
  private readonly withErrno;
  private readonly bare;

  constructor(ffi: Ffi, calls: SystemCalls) {
    super(calls);
    this.ffi = ffi;
    const { I64 } = ffi.DataType;
    const common = { library: 'c', funcName: 'syscall', retType: I64 } as const;
    const types = (values: readonly number[]) => values.map(() => I64);
    this.withErrno = {
      ...common,
      paramsType: types(this.all),
      paramsValue: this.all,
      errno: true as const,
    };
    this.bare = { ...common, paramsType: types(this.few), paramsValue: this.few };
  }

  override syscall(call: number, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0): number {
    const { all } = this;
    all[0] = call;
    all[1] = a;
    all[2] = b;
    all[3] = c;
    all[4] = d;
    all[5] = e;
    all[6] = f;
    const { value, errnoCode } = this.ffi.load(this.withErrno);
    return value === -1 ? -errnoCode : Number(value);
  }

  override quick(call: number, a: number, b: number, c: number, d: number): number {
    const { few } = this;
    few[0] = call;
    few[1] = a;
    few[2] = b;
    few[3] = c;
    few[4] = d;
    return Number(this.ffi.load(this.bare));
  }

  /** A pointer that ffi-rs can wrap comes only out of a call: memcpy of nothing returns its first argument. */
  protected override viewOf(address: number, length: number): Buffer {
    const { External, I64 } = this.ffi.DataType;
    const pointer = this.ffi.load({
      library: 'c',
      funcName: 'memcpy',
      retType: External,
      paramsType: [I64, I64, I64],
      paramsValue: [address, address, 0],
    });
    const bytes = this.ffi.createExternalBuffer(pointer, length);
    if (bytes.length !== length) throw new DeviceError(`see ${length} bytes of memory`, -ENOMEM);
    return bytes;
  }
}
