import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPage } from '../support/chromium.ts';
import { readPng } from '../support/png.ts';
import { run } from '../support/processes.ts';
import { isMissing } from '../support/programs.ts';

const UIPVS = fileURLToPath(new URL('../../bin/uipvs', import.meta.url));
const RULES = `\
-A -t 10.0.0.1:80 -s wlc
-a -t 10.0.0.1:80 -r 10.0.0.2:80 -m -w 1
-a -t 10.0.0.1:80 -r 10.0.0.3:80 -m -w 2
-a -t 10.0.0.1:80 -r 10.0.0.4:80 -m -w 1
`;
const WORKLOAD = `\
duration: 30s
arrivals: { kind: poisson, rate: 200 }
serviceTime: { kind: exponential, mean: 10ms }
servers: { 10.0.0.3:80: { speed: 2 } }
churn: [{ do: remove, at: 10s, server: 10.0.0.4:80 }, { do: add, at: 20s, server: 10.0.0.5:80 }]
`;
const SLOW = 120_000;

let dir: string;
let page: string;
const at = (name: string): string => join(dir, name);
const sim = (file: string, ...more: string[]) =>
  run([UIPVS, 'sim', at("it's rules"), at('w.yaml'), '--html', file, ...more]);
const report = (): string => readFileSync(page, 'utf8');
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Text between tags, without them. */
const textOf = (html: string): string => html.replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ');

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'uipvs-report-'));
  page = at('report.html');
  writeFileSync(at("it's rules"), RULES);
  writeFileSync(at('w.yaml'), WORKLOAD);
  const { status, stderr } = await sim(page, '--compare', 'wlc,rr,mh', '--repeat', '4');
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});
afterAll(() => rmSync(dir, { recursive: true }));

test('the page refers to nothing outside of it, and lets nothing else run', () => {
  const html = report();
  expect(html).not.toMatch(/<(?:link|img|iframe)\b|\bsrc=|@import|url\(/);
  expect(html).toMatch(
    /default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-[^']+' 'sha256-[^']+'"/,
  );
});

test('equal input gives equal bytes, whatever the file is called', async () => {
  const other = at('other.html');
  await sim(other, '--compare', 'wlc,rr,mh', '--repeat', '4', '--workers', '1', '--json');
  expect(readFileSync(other, 'utf8')).toBe(report());
});

test('the tables are there without scripts: measures with stars, disruption, servers', () => {
  const static_ = report().replaceAll(/<script[\s\S]*?<\/script>/g, '');
  const comparison = /<section id="comparison">[\s\S]*?<\/section>/.exec(static_)![0];
  expect(textOf(comparison)).toMatch(/p99 response time, 99 % are below [\d.]+ ms ±[\d.]+ .*\*\*/);
  expect(comparison).toMatch(/<span class="change worse" title="p = [^"]+">\+[\d.]+ % \*\*<\/span>/);
  const disruption = textOf(/<section id="disruption">[\s\S]*?<\/section>/.exec(static_)![0]);
  expect(disruption).toMatch(/1 remove 10\.0\.0\.4:80 at 10\.0 s wlc [\d.]+ % [\d.]+ % - rr/);
  expect(disruption).toMatch(/2 add 10\.0\.0\.5:80 at 20\.0 s wlc [\d.]+ % [\d.]+ % [\d.]+ ms/);
  expect(textOf(/<section id="servers">[\s\S]*?<\/section>/.exec(static_)![0])).toContain('10.0.0.4:80 gone');
});

test('the page says how to make it again: the command, escaped twice, and what sha256sum says of the files', () => {
  const again = /<section id="again">[\s\S]*?<\/section>/.exec(report())![0];
  const quoted = at("it's rules").replaceAll("'", "'\\''").replaceAll("'", '&#39;');
  expect(again).toContain(
    `<pre>uipvs sim &#39;${quoted}&#39; ${at('w.yaml')} --compare wlc,rr,mh --repeat 4 --seed 1</pre>`,
  );
  for (const text of [RULES, WORKLOAD]) expect(again).toContain(`sha256 ${sha256(text)}`);
});

test('a page that cannot be written is told in one line', async () => {
  const { status, stderr } = await sim(at('none/report.html'), '--repeat', '1');
  expect(status).toBe(1);
  expect(stderr).toMatch(/^uipvs: sim: .*none\/report\.html: cannot be written: ENOENT.*\n$/);
});

test.skipIf(isMissing('chromium'))(
  'a browser draws a chart of the distribution and one of the load for each scheduler',
  async () => {
    const { stdout, console } = await openPage(page, ['--dump-dom']);
    expect(console).toEqual([]);
    const parts = ['distribution', 'load-0', 'load-1', 'load-2'].map((id) => stdout.split(`id="${id}"`)[1]!);
    for (const part of parts) expect(part.slice(0, part.indexOf('</section>'))).toContain('<canvas');
    expect(stdout.match(/<canvas/g)).toHaveLength(4);
    expect(textOf(parts[0]!.slice(0, parts[0]!.indexOf('</section>')))).toMatch(/longer than wlc rr mh/);
    expect(textOf(parts[1]!.slice(0, parts[1]!.indexOf('</section>')))).toMatch(
      /10\.0\.0\.2:80 .*10\.0\.0\.5:80/,
    );
  },
  SLOW,
);

test.skipIf(isMissing('chromium')).each([
  { look: 'light', more: [], card: 0xffffff, line: 0x2563c9 },
  { look: 'dark', more: ['--blink-settings=preferredColorScheme=0'], card: 0x1a2029, line: 0x6ea2ff },
])(
  'the page in a $look system is drawn on cards of that look, with lines of its colours',
  async ({ more, card, line }) => {
    const file = at('screen.png');
    await openPage(page, [`--screenshot=${file}`, '--window-size=1200,2000', ...more]);
    const picture = readPng(readFileSync(file));
    expect([picture.width, picture.height]).toEqual([1200, 2000]);
    const counts = new Map<number, number>();
    for (let y = 0; y < picture.height; y++) {
      for (let x = 0; x < picture.width; x++) {
        const pixel = picture.at(x, y);
        counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
      }
    }
    expect(counts.get(card)).toBeGreaterThan(1_000_000);
    expect(counts.get(line)).toBeGreaterThan(200);
    expect(counts.size).toBeGreaterThan(100);
  },
  SLOW,
);
