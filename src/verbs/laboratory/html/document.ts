import { createHash } from 'node:crypto';
import { findings } from '../findings.ts';
import type { Outcome } from '../outcome.ts';
import type { PageAssets } from './assets.ts';
import { chartData } from './charts.ts';
import { embeddedJson, escapeText, type Markup } from './markup.ts';
import { STYLE } from './style.ts';
import { comparisonTable, disruptionTable, fateTable, serverTable } from './tables.ts';

/** The outcome as one page that needs nothing else: equal outcomes give equal bytes. */
export function outcomeHtml(outcome: Outcome, { chartLibrary, chartStyle, script }: PageAssets): string {
  const title = `Schedulers for ${outcome.service}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy([chartLibrary, script])}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="uipvs ${escapeText(outcome.version)}">
<title>${escapeText(title)}</title>
<style>${chartStyle}${STYLE}</style>
</head>
<body>
<main>
<header>
<h1>${escapeText(title)}</h1>
<p>${escapeText(subtitle(outcome))}</p>
</header>
${[
  warnings(outcome),
  comparison(outcome),
  distribution(outcome),
  loads(outcome),
  disruption(outcome),
  servers(outcome),
  again(outcome),
]
  .filter((section) => section !== '')
  .join('\n')}
</main>
<script type="application/json" id="data">${embeddedJson(chartData(outcome.schedulers))}</script>
<script>${chartLibrary}</script>
<script type="module">${script}</script>
</body>
</html>
`;
}

/** Nothing is fetched, and no script runs but the two that are part of the page. */
function policy(scripts: readonly string[]): Markup {
  const hashes = scripts.map((text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`);
  return `default-src 'none'; style-src 'unsafe-inline'; script-src ${hashes.join(' ')}`;
}

function subtitle({ serverCount, offeredLoad, replications, seed }: Outcome): string {
  const load = offeredLoad === undefined ? 'closed loop' : `offered load ${offeredLoad.toFixed(2)}`;
  const plural = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;
  return `${plural(serverCount, 'server')} · ${load} · ${plural(replications, 'replication')} · seed ${seed}`;
}

function warnings(outcome: Outcome): Markup {
  const partial = 'PARTIAL: stopped before the end; what follows is what was finished.';
  const lines = [...(outcome.partial ? [partial] : []), ...findings(outcome)];
  if (lines.length === 0) return '';
  return `<section class="warning">${lines.map((line) => `<p>${escapeText(line)}</p>`).join('')}</section>`;
}

function comparison({ schedulers }: Outcome): Markup {
  const base = escapeText(schedulers[0]!.scheduler);
  const stars =
    schedulers.length < 2
      ? ''
      : ` Small figures are differences from ${base}; * and ** mark those with p &lt; 0.05 and p &lt; 0.01
 (Student's paired test, the same connections for each scheduler).`;
  return `<section id="comparison">
<h2>Comparison</h2>
<p>± is the 95 % confidence interval.${stars}</p>
${comparisonTable(schedulers)}
${fateTable(schedulers)}
</section>`;
}

function distribution({ schedulers }: Outcome): Markup {
  const isEmpty = schedulers.every(({ runs }) => runs.every(({ histogram }) => histogram.length === 0));
  if (isEmpty) return '<section><h2>Response time</h2><p>No connection was completed.</p></section>';
  return `<section>
<h2>Response time</h2>
<p>Share of the connections that took longer, all replications together; lower is better. Both scales are logarithmic.</p>
<div class="chart tall" id="distribution">${noScript('quantiles are in the table above')}</div>
</section>`;
}

function loads({ schedulers }: Outcome): Markup {
  const charts = schedulers.map(({ scheduler }, i) => {
    const hint = noScript('the means are in the tables of servers below');
    return `<h3>${escapeText(scheduler)}</h3>
<div class="chart" id="load-${i}">${hint}</div>`;
  });
  const { series, servers } = schedulers[0]!.runs[0]!;
  const what =
    series.open.length === servers.length
      ? 'Connections open to each server'
      : 'Open connections divided by weight, of the server with the most, the fewest and on average';
  const events =
    schedulers[0]!.runs[0]!.churn.length === 0 ? '' : ' Dashed lines are the events of the table below.';
  return `<section>
<h2>Load over time</h2>
<p>${what}, first replication; each chart has a scale of its own.${events}</p>
${charts.join('\n')}
</section>`;
}

function disruption({ schedulers }: Outcome): Markup {
  if (schedulers[0]!.runs[0]!.churn.length === 0) return '';
  return `<section id="disruption">
<h2>Disruption</h2>
<p>Moved: sent elsewhere although their server was to be had. Forced: sent elsewhere because it was not.
 Absorbed: until the added server had nine tenths of its share of open connections.</p>
${disruptionTable(schedulers)}
</section>`;
}

function servers({ schedulers }: Outcome): Markup {
  return `<section id="servers">
<h2>Servers</h2>
${schedulers.map(serverTable).join('\n')}
</section>`;
}

function again({ command, version, seed, inputs, inputHash }: Outcome): Markup {
  const facts = [
    ['version', `uipvs ${version}`],
    ['seed', String(seed)],
    ...inputs.map(({ file, sha256 }) => [file, `sha256 ${sha256}`]),
    ['all input', `sha256 ${inputHash}`],
  ];
  const list = facts.map(
    ([name, value]) => `<dt>${escapeText(name!)}</dt><dd><code>${escapeText(value!)}</code></dd>`,
  );
  return `<section id="again">
<h2>Make it again</h2>
<p>Equal files and options give equal results, to the bit. With <code>--html FILE</code> the command writes this page.</p>
<pre>${escapeText(command)}</pre>
<dl>${list.join('\n')}</dl>
</section>`;
}

const noScript = (where: string): Markup => `<noscript>The chart needs scripts; ${where}.</noscript>`;
