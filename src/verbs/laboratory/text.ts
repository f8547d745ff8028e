import { METRICS, type SchedulerSummary } from '../../sim/summary.ts';
import { churnSummaries, serverSummaries } from './averages.ts';
import { findings } from './findings.ts';
import { digits, formatEstimate, formatValue, significance } from './format.ts';
import type { Outcome } from './outcome.ts';

/** Servers that the tables show. */
const MOST_SERVERS = 20;

/** The outcome for people. */
export function outcomeText(outcome: Outcome): string {
  const sections = [
    headLines(outcome),
    metricTable(outcome.schedulers),
    ...outcome.schedulers.map(serverTable),
    ...outcome.schedulers.map(churnTable),
    findings(outcome),
    [`Again: ${outcome.command}`, `Input: sha256 ${outcome.inputHash}, uipvs ${outcome.version}`],
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
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
      return `${formatEstimate(metrics[name]!, unit)} ${significance(differences?.[name])}`.trimEnd();
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

function serverTable(summary: SchedulerSummary): string[] {
  const servers = serverSummaries(summary);
  const rows = servers
    .slice(0, MOST_SERVERS)
    .map(({ server, weight, share, meanOpen, utilisation }) => [
      server,
      weight < 0 ? 'gone' : String(weight),
      formatValue(share, 'share'),
      digits(meanOpen),
      formatValue(utilisation, 'share'),
    ]);
  const left = servers.length - MOST_SERVERS;
  const more = left > 0 ? [`... and ${left} more servers`] : [];
  return [...table([[summary.scheduler, 'weight', 'of all', 'open', 'busy'], ...rows]), ...more];
}

function churnTable(summary: SchedulerSummary): string[] {
  const rows = churnSummaries(summary).map(({ atMs, event, moved, forced, absorbedMs }) => [
    `${digits(atMs / 1000)} s ${event}`,
    formatValue(moved, 'share'),
    formatValue(forced, 'share'),
    formatValue(absorbedMs, 'ms'),
  ]);
  if (rows.length === 0) return [];
  return table([[`${summary.scheduler}, clients`, 'moved', 'forced', 'absorbed in'], ...rows]);
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
