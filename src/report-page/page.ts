import type UPlot from 'uplot';
import type { ChartData, LoadChart } from './chart-data.ts';

/* Draws the charts of the report. It is put into the page as text, after uPlot, and therefore imports types only. */

declare const uPlot: typeof UPlot;

const DISTRIBUTION_HEIGHT = 340;
const LOAD_HEIGHT = 240;
const COLOURS = 8;
/** Lines beyond the eighth take the colours again, dashed. */
const DASHES: readonly number[][] = [[], [7, 4], [2, 3]];
/** From this ratio on, an axis has labels for powers of ten only. */
const MANY_DECADES = 20_000;
const FONT = '12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';

const data: ChartData = JSON.parse(document.querySelector('#data')!.textContent);
let charts: UPlot[] = [];

draw();
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
addEventListener('resize', () => {
  for (const chart of charts) chart.setSize({ width: widthFor(chart.root), height: chart.height });
});

/** Draws everything anew, in the present colours. */
function draw(): void {
  for (const chart of charts) chart.destroy();
  const cursors = uPlot.sync('load');
  const { ms, curves } = data.distribution;
  charts =
    ms.length === 0 ? [] : [makeChart('#distribution', distributionOptions(), [ms, ...valuesOf(curves)])];
  for (const [i, load] of data.loads.entries()) {
    charts.push(makeChart(`#load-${i}`, loadOptions(load, cursors.key), [load.at, ...valuesOf(load.lines)]));
  }
}

function valuesOf(lines: LoadChart['lines']): (number | null)[][] {
  return lines.map(({ values }) => [...values]);
}

function makeChart(place: string, options: Omit<UPlot.Options, 'width'>, values: readonly unknown[]): UPlot {
  const element = document.querySelector<HTMLElement>(place)!;
  element.replaceChildren();
  return new uPlot({ ...options, width: element.clientWidth }, values as UPlot.AlignedData, element);
}

function widthFor(root: HTMLElement): number {
  return root.parentElement!.clientWidth;
}

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function lines(names: readonly string[], value: (found: number) => string): UPlot.Series[] {
  return names.map((label, i) => ({
    label,
    stroke: colour(`--line-${i % COLOURS}`),
    width: 1.75,
    dash: DASHES[Math.floor(i / COLOURS) % DASHES.length]!,
    points: { show: false },
    value: (_chart, found) => (found === null || found === undefined ? '' : value(found)),
  }));
}

function axis(label: string, more: UPlot.Axis): UPlot.Axis {
  const grid = { stroke: colour('--grid'), width: 1 };
  return {
    label,
    labelFont: FONT,
    font: FONT,
    labelSize: 22,
    stroke: colour('--muted'),
    grid,
    ticks: { ...grid, size: 5 },
    ...more,
  };
}

function distributionOptions(): Omit<UPlot.Options, 'width'> {
  const names = data.distribution.curves.map(({ name }) => name);
  const shortest = data.distribution.ms[0]!;
  const longest = data.distribution.ms.at(-1)! * 1.05;
  const isLabelled = longest / shortest < MANY_DECADES ? isRound : isDecade;
  return {
    height: DISTRIBUTION_HEIGHT,
    scales: {
      x: { time: false, distr: 3, range: [shortest, longest] },
      y: { distr: 3, range: (_chart, low) => [decadeBelow(low), 1] },
    },
    axes: [
      axis('response time', {
        size: 34,
        filter: (_chart, splits) => splits,
        values: (_chart, splits) => splits.map((ms) => (isLabelled(ms) ? duration(ms) : '')),
      }),
      axis('connections that took longer', {
        size: 66,
        values: (_chart, splits) => splits.map((share) => (isDecade(share) ? percentage(share) : '')),
      }),
    ],
    series: [
      { label: 'longer than', value: (_chart, ms) => (ms === null ? '' : duration(ms)) },
      ...lines(names, percentage),
    ],
  };
}

function loadOptions(
  { lines: curves, unit, at: times }: LoadChart,
  sync: string,
): Omit<UPlot.Options, 'width'> {
  const names = curves.map(({ name }) => name);
  const when = (at: number): string => `${digits(at)} ${data.timeUnit}`;
  return {
    height: LOAD_HEIGHT,
    cursor: { sync: { key: sync } },
    scales: {
      x: { time: false, range: [0, times.at(-1) ?? 1] },
      y: { range: (_chart, _low, high) => [0, high * 1.08 || 1] },
    },
    axes: [axis(`simulated time, ${data.timeUnit}`, { size: 34 }), axis(unit, { size: 56 })],
    series: [{ label: 'at', value: (_chart, at) => (at === null ? '' : when(at)) }, ...lines(names, digits)],
    hooks: { draw: [markEvents] },
  };
}

/** A numbered line for each event; the table below has the numbers too. */
function markEvents(chart: UPlot): void {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.strokeStyle = colour('--muted');
  ctx.fillStyle = colour('--muted');
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.textAlign = 'left';
  ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
  for (const [i, { at }] of data.events.entries()) {
    const x = Math.round(chart.valToPos(at, 'x', true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.fillText(String(i + 1), x + 4 * devicePixelRatio, bbox.top + 11 * devicePixelRatio);
  }
  ctx.restore();
}

function decadeBelow(value: number): number {
  return 10 ** Math.floor(Math.log10(value) + 1e-9);
}

function isDecade(value: number): boolean {
  return Math.abs(Math.log10(value) - Math.round(Math.log10(value))) < 1e-9;
}

/** 1, 2 and 5, and these times powers of ten. */
function isRound(value: number): boolean {
  return [1, 2, 5].some((step) => isDecade(value / step));
}

function digits(value: number): string {
  return String(Number(value.toPrecision(3)));
}

function percentage(share: number): string {
  return `${digits(share * 100)} %`;
}

function duration(ms: number): string {
  if (ms < 1) return `${digits(ms * 1000)} µs`;
  return ms < 1000 ? `${digits(ms)} ms` : `${digits(ms / 1000)} s`;
}
