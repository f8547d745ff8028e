import type { Outcome } from './outcome.ts';

/** From this share on, a server has no time left. */
const SATURATED = 0.99;

/** What makes the figures mean something else than they seem to; a line each. */
export function findings({ offeredLoad, schedulers }: Outcome): string[] {
  const lines: string[] = [];
  if (offeredLoad !== undefined && offeredLoad >= 1) {
    const rho = offeredLoad.toFixed(2);
    lines.push(`UNSTABLE: the offered load is ${rho}; queues grow as long as it lasts, and times with them.`);
  }
  for (const { scheduler, runs } of schedulers) {
    const full = runs[0]!.servers.filter(({ utilisation }) => utilisation >= SATURATED);
    if (full.length === 0) continue;
    lines.push(`UNSTABLE: with ${scheduler}, ${full.map(({ server }) => server).join(', ')} is never idle.`);
  }
  return lines;
}
