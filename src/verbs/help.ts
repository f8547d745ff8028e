import { UsageError } from './arguments.ts';
import { isVerb, VERBS, type Verb, type VerbName } from './table.ts';
import type { Terminal } from './terminal.ts';

/** `uipvs help [VERB]` */
export async function runHelp(args: readonly string[], terminal: Terminal): Promise<number> {
  const [name, ...rest] = args;
  if (rest.length > 0) throw new UsageError('help takes one verb');
  if (name === undefined) {
    await terminal.print(overview());
    return 0;
  }
  if (!isVerb(name)) throw new UsageError(`unknown verb '${name}'; see 'uipvs help'`);
  await terminal.print(verbHelp(name));
  return 0;
}

/** One line for each verb. */
export function overview(): string {
  const rows = Object.entries(VERBS).map(([name, verb]): [string, string] => [name, verb.summary]);
  return [
    'usage: uipvs VERB [ARGUMENT]...',
    '',
    'IPVS as a userspace program.',
    '',
    ...columns(rows),
    '',
    "Environment: UIPVS_RUNTIME_DIR, UIPVS_STATE_DIR, UIPVS_AUTOSTART. 'uipvs help VERB' tells more.",
    '',
  ].join('\n');
}

/** Usage, summary and options of one verb. */
export function verbHelp(name: VerbName): string {
  const verb: Verb = VERBS[name];
  const lines = [`usage: uipvs ${name} ${verb.usage}`.trimEnd(), '', sentence(verb.summary)];
  if (verb.options.length > 0) lines.push('', ...columns(verb.options));
  return `${lines.join('\n')}\n`;
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}

const sentence = (text: string): string => `${text[0]?.toUpperCase()}${text.slice(1)}.`;
