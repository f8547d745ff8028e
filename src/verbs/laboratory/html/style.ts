/** The page's look: light or dark as the reader's system is, tables that need no script, print without cards. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #fff; --text: #1b2430; --muted: #5d6b7c; --edge: #dfe4ea; --grid: #e8ecf0; --soft: #eef1f5;
  --good: #16794a; --bad: #b3261e; --warn: #fff4dc; --warn-edge: #d99a1c;
  --line-0: #2563c9; --line-1: #d9661f; --line-2: #178a63; --line-3: #b8327f; --line-4: #7650c8; --line-5: #9a7413;
  --line-6: #1692b4; --line-7: #5d6b7c;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12161c; --card: #1a2029; --text: #e4e9f0; --muted: #98a5b5; --edge: #2c3542; --grid: #28303c; --soft: #242c37;
    --good: #5cc796; --bad: #ff8a80; --warn: #33290f; --warn-edge: #d99a1c;
    --line-0: #6ea2ff; --line-1: #ff9a57; --line-2: #4fd1a1; --line-3: #f279bd; --line-4: #b093ff; --line-5: #e0bb4b;
    --line-6: #58c8e8; --line-7: #98a5b5;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
main { max-width: 1080px; margin: 0 auto; padding: 32px 20px 48px; }
header { margin-bottom: 24px; }
h1 { margin: 0 0 4px; font-size: 26px; line-height: 1.25; letter-spacing: -0.01em; }
h2 { margin: 0 0 4px; font-size: 18px; }
h3 { margin: 20px 0 6px; font-size: 14px; }
p { margin: 0 0 14px; color: var(--muted); }
header p { margin: 0; }
section { margin: 0 0 20px; padding: 20px 24px; background: var(--card); border: 1px solid var(--edge); border-radius: 10px; }
.warning { background: var(--warn); border-color: var(--warn-edge); font-weight: 500; padding: 12px 24px; }
.warning p { color: inherit; margin: 0; }
.scroll { overflow-x: auto; }
.scroll + .scroll { margin-top: 20px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--muted); font-size: 13px; padding-bottom: 6px; }
th, td { padding: 7px 10px; text-align: right; vertical-align: top; white-space: nowrap; }
th:first-child, td:first-child { padding-left: 0; }
th:last-child, td:last-child { padding-right: 0; }
thead th { border-bottom: 2px solid var(--edge); font-size: 13px; color: var(--muted); font-weight: 600; }
tbody tr + tr > * { border-top: 1px solid var(--grid); }
tbody th { text-align: left; font-weight: 600; }
th.text, td.text, thead th:first-child { text-align: left; }
.note { display: block; font-weight: 400; font-size: 12.5px; color: var(--muted); white-space: normal; }
.half { color: var(--muted); font-size: 12.5px; }
.change { display: block; font-size: 12.5px; color: var(--muted); }
.better { color: var(--good); }
.change.worse { color: var(--bad); }
.bar { display: inline-block; width: 84px; height: 8px; margin-right: 8px; border-radius: 4px; background: var(--soft); overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--line-0); }
.bar.busy i { background: var(--muted); }
.bar.worse i { background: var(--line-1); }
.amount { display: inline-block; min-width: 72px; }
.chart { min-height: 275px; }
.chart.tall { min-height: 375px; }
noscript { display: block; color: var(--muted); padding: 12px 0; }
pre { margin: 0 0 14px; padding: 12px 14px; background: var(--soft); border-radius: 8px; overflow-x: auto; }
pre, code { font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 16px; margin: 0; }
dt { color: var(--muted); }
dd { margin: 0; overflow-wrap: anywhere; }
.uplot .u-legend { font-size: 13px; text-align: left; margin: 6px 0 0; color: var(--text); }
.u-legend .u-marker { border-radius: 2px; height: 3px !important; width: 16px !important; }
.u-legend th { font-weight: 500; }
.u-inline.u-live th::after { content: ""; }
.u-legend .u-value { color: var(--muted); font-variant-numeric: tabular-nums; }
.u-inline tr + tr > *, .u-legend th, .u-legend td { border: 0 !important; padding: 2px 4px !important; }
@media print { body { background: none; } section { border: 0; padding: 0; break-inside: avoid; } }
`;
