import { measure } from 'mitata';

const CPU_NS = 100e6;

/** Median time of one of `count` operations that a call makes. */
export async function nanoseconds(count: number, call: () => void): Promise<number> {
  const { p50 } = await measure(call, { min_cpu_time: CPU_NS });
  return p50 / count;
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}
