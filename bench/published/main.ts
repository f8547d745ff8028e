import { writeFileSync } from 'node:fs';
import {
  BEST_TO_WORST,
  isMet,
  orderedMeans,
  PUBLISHED,
  type PublishedResult,
} from '../../test/sim/published/catalogue.ts';
import { kernelPicks } from '../../test/sim/published/kernel-picks.ts';

/*
 * Makes every published result again in full size and writes docs/published.md. The same program gives the same page,
 * to the byte. Ends with status 1 if one is not met.
 */

/** Seen from the compiled module. */
const ROOT = new URL('../../../', import.meta.url);
const PAGE = new URL('docs/published.md', ROOT);

let isComplete = true;
const note = (line: string, isRight: boolean): void => {
  isComplete &&= isRight;
  process.stdout.write(`${isRight ? 'met    ' : 'NOT MET'} ${line}\n`);
};

const rows = PUBLISHED.map((result) => {
  const measured = result.measure('full');
  note(`${result.title}: ${digits(measured)}`, isMet(result, measured, 'full'));
  return [result.title, result.source, expectation(result), digits(measured), tolerance(result)];
});

const means = orderedMeans('full');
note(
  `order: ${means.map(digits).join(' < ')}`,
  means.every((mean, i) => i === 0 || mean > means[i - 1]!),
);

const picks = await kernelPicks(new URL('test/golden/traffic/', ROOT));
for (const each of picks) note(`${each.scenario}: ${each.picks} picks`, each.differences === 0);

writeFileSync(PAGE, page());
process.stdout.write('docs/published.md\n');
process.exitCode = isComplete ? 0 : 1;

function page(): string {
  return `# Published results, made again

Written by \`npm run lab:published\`; \`npm test\` checks the same results in a reduced size, and this page against the list of
results. Times are in units of the mean service time; every result comes from the director's own schedulers.

${table(['result', 'source', 'published', 'here', 'tolerance'], rows)}

## Order

Mean response times over 50 servers at load 0.9: the more queues are looked at, the shorter.

${table(
  ['scheduler', 'mean'],
  BEST_TO_WORST.map((scheduler, i) => [scheduler, digits(means[i]!)]),
)}

## Choices of the kernel

Servers that Linux 6.1 chose in recorded scenarios (\`test/golden/traffic\`), and where the core chose another.

${table(
  ['scenario', 'scheduler', 'connections', 'differences'],
  picks.map((each) => [each.scenario, each.schedulers, String(each.picks), String(each.differences)]),
)}
`;
}

function table(head: readonly string[], body: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), `|${head.map(() => '---|').join('')}`, ...body.map(line)].join('\n');
}

function expectation({ expected }: PublishedResult): string {
  return 'value' in expected ? digits(expected.value) : `${expected.least} to ${expected.most}`;
}

function tolerance({ expected }: PublishedResult): string {
  return 'value' in expected ? `${digits(expected.within.full * 100)} %` : '';
}

function digits(value: number): string {
  return String(Number(value.toPrecision(4)));
}
