import type { Estimate, PairedDifference } from '../../sim/statistics.ts';
import { METRICS, type MetricUnit, type SchedulerSummary } from '../../sim/summary.ts';
import type { Outcome } from './outcome.ts';

/** Below these p-values a difference is marked with two stars, and with one. */
const VERY_SIGNIFICANT = 0.01;
const SIGNIFICANT = 0.05;

/** From this share on, a server has no time left. */
const SATURATED = 0.99;

/** The outcome for people. */
export function outcomeText(outcome: Outcome): string {
  const sections = [
    headLines(outcome),
    metricTable(outcome.schedulers),
    ...outcome.schedulers.map(serverTable),
    ...outcome.schedulers.map(churnTable),
    warnings(outcome),
    [`Again: ${outcome.command}`, `Input: sha256 ${outcome.inputHash}, uipvs ${outcome.version}`],
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

/** A value with its unit as people read it. */
export function formatValue(value: number, unit: MetricUnit): string {
  if (Number.isNaN(value)) return '-';
  if (unit === 'share') return `${digits(value * 100)} %`;
  return unit === 'ms' ? `${digits(value)} ms` : digits(value);
}

function formatEstimate({ mean, half }: Estimate, unit: MetricUnit): string {
  const value = formatValue(mean, unit);
  return Number.isNaN(half) ? value : `${value} ±${digits(unit === 'share' ? half * 100 : half)}`;
}

/** Stars for how sure a difference is. */
function significance(difference: PairedDifference | undefined): string {
  if (!difference || Number.isNaN(difference.p)) return '';
  if (difference.p < VERY_SIGNIFICANT) return ' **';
  return difference.p < SIGNIFICANT ? ' *' : '';
}

function digits(value: number): string {
  if (value === 0 || Math.abs(value) >= 1000) return value.toFixed(0);
  return value.toPrecision(3);
}

function headLines({ service, serverCount, offeredLoad, replications, seed, partial }: Outcome): string[] {
  const load = offeredLoad === undefined ? 'closed loop' : `offered load ${offeredLoad.toFixed(2)}`;
  const servers = `${serverCount} server${serverCount === 1 ? '' : 's'}`;
  const line = `${service}, ${servers}, ${load}; ${replications} replications, seed ${seed}`;
  return partial ? [line, 'PARTIAL: stopped before the end; what follows is what was finished.'] : [line];
}

function metricTable(schedulers: readonly SchedulerSummary[]): string[] {
  const shown = METRICS.filter(
    ({ unit, name }) => unit !== 'share' || schedulers.some(({ metrics }) => metrics[name]!.mean > 0),
  );
  const rows = shown.map(({ name, unit }) => [
    name,
    ...schedulers.map(({ metrics, differences }) => {
      return formatEstimate(metrics[name]!, unit) + significance(differences?.[name]);
    }),
  ]);
  const lines = table([['', ...schedulers.map(({ scheduler }) => scheduler)], ...rows]);
  if (schedulers.length < 2) return [...lines, '± is the 95 % confidence interval.'];
  const { scheduler } = schedulers[0]!;
  return [
    ...lines,
    `± is the 95 % confidence interval; * and ** differ from ${scheduler} with p < 0.05 and 0.01 (paired).`,
  ];
}

function serverTable({ scheduler, runs }: SchedulerSummary): string[] {
  const { servers } = runs[0]!;
  const average = (of: (at: number, run: number) => number, at: number): number =>
    runs.reduce((sum, _, run) => sum + of(at, run), 0) / runs.length;
  const rows = servers.slice(0, 20).map(({ server, weight }, at) => [
    server,
    weight < 0 ? 'gone' : String(weight),
    formatValue(
      average((i, run) => runs[run]!.servers[i]!.share, at),
      'share',
    ),
    digits(average((i, run) => runs[run]!.servers[i]!.meanOpen, at)),
    formatValue(
      average((i, run) => runs[run]!.servers[i]!.utilisation, at),
      'share',
    ),
  ]);
  const more = servers.length > 20 ? [`... and ${servers.length - 20} more servers`] : [];
  return [...table([[scheduler, 'weight', 'of all', 'open', 'busy'], ...rows]), ...more];
}

function churnTable({ scheduler, runs }: SchedulerSummary): string[] {
  const { churn } = runs[0]!;
  if (churn.length === 0) return [];
  const rows = churn.map((event, i) => {
    const all = runs.map((run) => run.churn[i]).filter((each) => each !== undefined);
    const returned = all.reduce((sum, each) => sum + each.returned, 0);
    const share = (count: number): string =>
      formatValue(returned === 0 ? Number.NaN : count / returned, 'share');
    const absorbed = all.map(({ absorbedMs }) => absorbedMs).filter((each) => !Number.isNaN(each));
    const mean = absorbed.reduce((sum, each) => sum + each, 0) / absorbed.length;
    return [
      `${digits(event.atMs / 1000)} s ${event.event}`,
      share(all.reduce((sum, each) => sum + each.moved, 0)),
      share(all.reduce((sum, each) => sum + each.forced, 0)),
      formatValue(mean, 'ms'),
    ];
  });
  return table([[`${scheduler}, clients`, 'moved', 'forced', 'absorbed in'], ...rows]);
}

function warnings({ offeredLoad, schedulers }: Outcome): string[] {
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

/** The first column to the left, all others to the right. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd(),
  );
}
