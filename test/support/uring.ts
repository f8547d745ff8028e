import { uringObstacle } from '../../src/net/packet/io-tier.ts';

/** Whether tests of a tier can't be run here; says why. */
export function lacksTier(tier: 'sync' | 'uring'): boolean {
  const obstacle = tier === 'uring' ? uringObstacle() : undefined;
  if (obstacle !== undefined) process.stderr.write(`skipped: ${obstacle}\n`);
  return obstacle !== undefined;
}
