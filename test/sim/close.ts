import { expect } from 'vitest';

declare module 'vitest' {
  interface Assertion {
    /** Differs from `wanted` by no more than that share of it. */
    toBeCloseToShare(wanted: number, share: number): void;
  }
}

expect.extend({
  toBeCloseToShare(found: number, wanted: number, share: number) {
    const off = Math.abs(found - wanted) / wanted;
    return {
      pass: off <= share,
      message: () => `${found} is ${(off * 100).toFixed(1)} % off ${wanted}; ${share * 100} % are allowed`,
    };
  },
});
