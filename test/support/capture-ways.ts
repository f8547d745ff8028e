import { tcxObstacle } from '../../src/net/packet/tcx/redirect.ts';

/** The ways to capture that there are on this machine; says why one is missing. */
export function captureWays(): ('nft' | 'tcx')[] {
  const obstacle = tcxObstacle();
  if (obstacle === undefined) return ['nft', 'tcx'];
  process.stderr.write(`not tried by tcx: ${obstacle}\n`);
  return ['nft'];
}
