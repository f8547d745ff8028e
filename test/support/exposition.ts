/** @returns every series of an exposition that begins with one of the prefixes, with its value. */
export function seriesOf(text: string, ...prefixes: readonly string[]): Map<string, number> {
  const lines = text
    .split('\n')
    .filter((line) => /^\w/.test(line) && prefixes.some((prefix) => line.startsWith(prefix)));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]));
}

/** @returns type and help text of every metric that has a series and begins with the prefix. */
export function metadataOf(text: string, prefix: string): Map<string, { type: string; help: string }> {
  const found = new Map<string, { type: string; help: string }>();
  for (const name of new Set([...seriesOf(text, prefix).keys()].map((series) => series.split('{', 1)[0]!))) {
    const word = (what: string): string => new RegExp(`^# ${what} ${name} (.*)$`, 'm').exec(text)?.[1] ?? '';
    found.set(name, { type: word('TYPE'), help: word('HELP') });
  }
  return found;
}

/** @returns the name of a series, its labels sorted. */
export function series(name: string, labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return pairs.length === 0 ? name : `${name}{${pairs.sort().join(',')}}`;
}
