import { CLibrary, loadPackage, openCLibrary } from './c-library.ts';
import type { Native, SystemCalls } from './native.ts';

type Koffi = typeof import('koffi');

/** @throws DeviceError */
export function loadKoffi(calls: SystemCalls): Native {
  const koffi = loadPackage<Koffi>('koffi');
  return new KoffiLibrary(
    koffi,
    openCLibrary((path) => koffi.load(path)),
    calls,
  );
}

/** Half a microsecond a call. */
class KoffiLibrary extends CLibrary {
  override readonly name = 'koffi';
  private readonly koffi: Koffi;
  private readonly all: (...args: number[]) => number;
  private readonly few: (...args: number[]) => number;

  constructor(koffi: Koffi, library: ReturnType<Koffi['load']>, calls: SystemCalls) {
    super(calls);
    this.koffi = koffi;
    const taking = (count: number) => library.func('syscall', 'int64_t', Array(count).fill('int64_t'));
    this.all = taking(7);
    this.few = taking(5);
  }

  override syscall(call: number, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0): number {
    const value = this.all(call, a, b, c, d, e, f);
    return value === -1 ? -this.koffi.errno() : value;
  }

  override quick(call: number, a: number, b: number, c: number, d: number): number {
    return this.few(call, a, b, c, d);
  }

  protected override viewOf(address: number, length: number): Buffer {
    return Buffer.from(this.koffi.view(BigInt(address), length));
  }
}
