import type { DestConfig } from '../core/config.ts';
import { sameServer, serverName } from './setup.ts';
import type { Churn } from './workload.ts';

/** Most steps in which a slow start raises the weight. */
const SLOW_START_STEPS = 20;

/** One change at one moment. */
export interface ChurnStep {
  readonly atMs: number;
  /** Index of the server. */
  readonly server: number;
  /** Weight in the directors' tables from now on, -1 if it is to be taken out of them. `undefined`: as it is. */
  readonly weight?: number;
  /** Whether the server works. `undefined`: as before. */
  readonly up?: boolean;
  /** What people call the event that begins with this step; '' if it belongs to the one before. */
  readonly label: string;
}

/** Breaks events down into steps, in order of time. */
export function churnSteps(churn: readonly Churn[], servers: readonly DestConfig[]): ChurnStep[] {
  const steps = churn.flatMap((each) => {
    const server = servers.findIndex((config) => sameServer(config, each.server));
    return stepsOf(each, server, servers[server]!.weight);
  });
  return steps.filter(({ atMs }) => Number.isFinite(atMs)).sort((a, b) => a.atMs - b.atMs);
}

function stepsOf(each: Churn, server: number, ownWeight: number): ChurnStep[] {
  const { atMs } = each;
  const label = `${each.kind} ${serverName(each.server)}`;
  switch (each.kind) {
    case 'add':
      return [{ atMs, server, weight: each.weight, up: true, label }];
    case 'remove':
      return [{ atMs, server, weight: -1, label }];
    case 'drain':
      return [{ atMs, server, weight: 0, label }];
    case 'weight':
      return [{ atMs, server, weight: each.weight, label: `${label} to ${each.weight}` }];
    case 'kill':
      return [
        { atMs, server, up: false, label },
        { atMs: atMs + each.detectMs, server, weight: -1, label: `detect ${serverName(each.server)}` },
        {
          atMs: atMs + each.downMs,
          server,
          weight: ownWeight,
          up: true,
          label: `return ${serverName(each.server)}`,
        },
      ];
    case 'flap':
      return Array.from({ length: each.times }, (_, i) => atMs + i * (each.downMs + each.upMs)).flatMap(
        (at) => [
          { atMs: at, server, weight: -1, label },
          { atMs: at + each.downMs, server, weight: ownWeight, label: `return ${serverName(each.server)}` },
        ],
      );
    case 'slow-start':
      return slowStart(atMs, server, each.weight, each.overMs, label);
  }
}

function slowStart(atMs: number, server: number, weight: number, overMs: number, label: string): ChurnStep[] {
  const count = Math.min(SLOW_START_STEPS, Math.max(weight - 1, 1));
  const steps: ChurnStep[] = [{ atMs, server, weight: Math.min(1, weight), up: true, label }];
  for (let i = 1; i <= count; i++) {
    const now = Math.round(1 + ((weight - 1) * i) / count);
    steps.push({ atMs: atMs + (overMs * i) / count, server, weight: now, label: '' });
  }
  return steps;
}
