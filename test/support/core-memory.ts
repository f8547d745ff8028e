const CALLS = 40_000;
/** The compiler is at work beside us: on a busy machine the first ones are not compiled yet. */
const ROUNDS = 8;

/** Collects garbage; the tests run with the collector exposed. */
function collect(): void {
  const { gc } = globalThis;
  if (!gc) throw new Error('these tests need --expose-gc');
  gc();
}

/**
 * Bytes that one call leaves on the heap, the least of several rounds. The rounds fit the young generation
 * (--min-semi-space-size), so that nothing is collected within one.
 */
export function bytesPerCall(call: () => void): number {
  for (let i = 0; i < CALLS; i++) call();
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < CALLS; i++) call();
    least = Math.min(least, (process.memoryUsage().heapUsed - before) / CALLS);
  }
  return least;
}
