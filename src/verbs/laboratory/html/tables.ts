import { METRICS, type Metric, type SchedulerSummary } from '../../../sim/summary.ts';
import { churnSummaries, outcomeSummary, serverSummaries } from '../averages.ts';
import { digits, formatHalf, formatValue, significance } from '../format.ts';
import { type Cell, escapeText, htmlTable, type Markup } from './markup.ts';

/** Servers that a table shows. */
const MOST_SERVERS = 100;

type Outcomes = ReturnType<typeof outcomeSummary>;

const FATES: readonly { readonly what: string; readonly of: (outcomes: Outcomes) => number }[] = [
  { what: 'arrived', of: ({ arrived }) => arrived },
  { what: 'completed', of: ({ completed }) => completed },
  { what: 'refused: no server may be chosen', of: ({ noServer }) => noServer },
  { what: "refused: the director's table is full", of: ({ tableFull }) => tableFull },
  { what: 'reset by the server', of: ({ byServer }) => byServer },
  { what: 'begun and not answered', of: ({ broken }) => broken },
];

/** All measures, a column for each scheduler, with intervals and how each differs from the first. */
export function comparisonTable(schedulers: readonly SchedulerSummary[]): Markup {
  const rows = METRICS.map((metric) => [
    { html: `${escapeText(metric.name)}<span class="note">${escapeText(metric.meaning)}</span>` },
    ...schedulers.map((summary) => comparisonCell(metric, summary, schedulers[0]!)),
  ]);
  const names = schedulers.map(({ scheduler }) => scheduler);
  return htmlTable('Measures, mean over the replications', ['measure', ...names], rows);
}

function comparisonCell(
  { name, unit, better }: Metric,
  summary: SchedulerSummary,
  base: SchedulerSummary,
): Cell {
  const { mean, half } = summary.metrics[name]!;
  const value = `${formatValue(mean, unit)} <span class="half">${formatHalf(half, unit)}</span>`;
  const difference = summary.differences?.[name];
  if (!difference || Number.isNaN(difference.mean)) return { html: value };
  const stars = significance(difference);
  const isBetter = difference.mean < 0 === (better === 'lower');
  const judgement = stars === '' ? 'same' : isBetter ? 'better' : 'worse';
  const change = relativeChange(difference.mean, base.metrics[name]!.mean);
  const p = Number.isNaN(difference.p) ? '' : ` title="p = ${difference.p.toPrecision(2)}"`;
  return { html: `${value}<span class="change ${judgement}"${p}>${change}${stars && ` ${stars}`}</span>` };
}

/** By how much the first is passed or missed. */
function relativeChange(difference: number, base: number): string {
  if (difference === 0) return '±0 %';
  const sign = difference < 0 ? '−' : '+';
  return base === 0 ? `from 0` : `${sign}${digits(Math.abs(difference / base) * 100)} %`;
}

/** What became of connections. */
export function fateTable(schedulers: readonly SchedulerSummary[]): Markup {
  const all = schedulers.map(outcomeSummary);
  const rows = FATES.map(({ what, of }) => [
    { html: escapeText(what) },
    ...all.map((outcomes) => ({ html: grouped(of(outcomes)) })),
  ]);
  const names = schedulers.map(({ scheduler }) => scheduler);
  return htmlTable('Connections after the warm-up, mean over the replications', ['', ...names], rows);
}

/** Every server under one scheduler. */
export function serverTable(summary: SchedulerSummary): Markup {
  const servers = serverSummaries(summary);
  const rows = servers
    .slice(0, MOST_SERVERS)
    .map(({ server, weight, connections, share, meanOpen, utilisation }) => [
      { html: escapeText(server) },
      { html: weight < 0 ? 'gone' : String(weight) },
      { html: grouped(connections) },
      { html: bar(share, 'share') },
      { html: digits(meanOpen) },
      { html: bar(utilisation, utilisation >= 0.99 ? 'worse' : 'busy') },
    ]);
  const left = servers.length - MOST_SERVERS;
  const more = left > 0 ? `; ${left} more are not shown` : '';
  const head = ['server', 'weight', 'connections', 'of all', 'open', 'busy'];
  return htmlTable(`Servers under ${summary.scheduler}, mean over the replications${more}`, head, rows);
}

/** What each event of the churn did to clients, under every scheduler. */
export function disruptionTable(schedulers: readonly SchedulerSummary[]): Markup {
  const all = schedulers.map((summary) => ({ name: summary.scheduler, events: churnSummaries(summary) }));
  const rows = all[0]!.events.flatMap(({ atMs, event }, i) =>
    all.map(({ name, events }, place) => {
      const own = events[i];
      const label = place === 0 ? `<b>${i + 1}</b> ${escapeText(event)} at ${digits(atMs / 1000)} s` : '';
      return [
        { html: label },
        { html: escapeText(name), isText: true },
        { html: own ? bar(own.moved, 'worse') : '-' },
        { html: own ? bar(own.forced, 'busy') : '-' },
        { html: own ? formatValue(own.absorbedMs, 'ms') : '-' },
      ];
    }),
  );
  const head = ['event', 'scheduler', 'moved', 'forced', 'absorbed in'];
  return htmlTable('Clients that came back after each event, all replications together', head, rows);
}

/** A share as a number and a bar. */
function bar(share: number, look: 'share' | 'busy' | 'worse'): Markup {
  const text = formatValue(share, 'share');
  if (Number.isNaN(share)) return text;
  const width = (Math.min(Math.max(share, 0), 1) * 100).toFixed(1);
  return `<span class="bar ${look}"><i style="width:${width}%"></i></span><span class="amount">${text}</span>`;
}

/** A count with its thousands apart. */
function grouped(count: number): string {
  const text = Number.isInteger(count) ? String(count) : count.toFixed(1);
  const [whole, rest] = text.split('.');
  const apart = whole!.replaceAll(/\B(?=(\d{3})+$)/g, '\u202f');
  return rest === undefined ? apart : `${apart}.${rest}`;
}
