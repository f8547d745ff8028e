import { readdirSync, readFileSync } from 'node:fs';
import { Lab } from '../../replay/lab.ts';
import { replayScenario } from '../../replay/scenario.ts';

/** Scenarios that are about which server is chosen: 101 to 141. */
const ABOUT_CHOICES = /^1([0-3]\d|4[01])-.*\.golden$/;

/** What a kernel chose in one recorded scenario. */
export interface KernelPicks {
  readonly scenario: string;
  readonly schedulers: string;
  /** Connections of which the server is recorded. */
  readonly picks: number;
  /** Steps in which another server was chosen, or anything else was different. */
  readonly differences: number;
}

/** Plays every recorded scenario about schedulers on the core. @param folder of the recordings */
export async function kernelPicks(folder: URL): Promise<KernelPicks[]> {
  const names = readdirSync(folder).filter((name) => ABOUT_CHOICES.test(name));
  const found: KernelPicks[] = [];
  for (const name of names.sort()) {
    const file = new URL(name, folder);
    const { differences } = await replayScenario(file, new Lab());
    const records = readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line): unknown => JSON.parse(line));
    found.push({
      scenario: name.replace('.golden', ''),
      schedulers: [...new Set(records.flatMap(schedulersOf))].join(', '),
      picks: records.reduce<number>((sum, record) => sum + picksOf(record), 0),
      differences: differences.length,
    });
  }
  return found;
}

function schedulersOf(record: unknown): string[] {
  const argv = fieldOf(record, 'argv');
  if (!Array.isArray(argv)) return [];
  const at = argv.indexOf('-s');
  return at < 0 ? [] : [String(argv[at + 1])];
}

function picksOf(record: unknown): number {
  const servers = fieldOf(record, 'servers');
  return Array.isArray(servers) ? servers.length : 0;
}

const fieldOf = (record: unknown, name: string): unknown =>
  typeof record === 'object' && record !== null && name in record
    ? Object.entries(record).find(([key]) => key === name)![1]
    : undefined;
