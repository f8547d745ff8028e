import {
  type Program,
  ProgramError,
  type ProgramRunner,
} from '../../../../src/net/packet/host-state/programs.ts';

/** A host's programs that note what they are told: `nft` what it is to load, `ip` all. */
export class FakeHost implements ProgramRunner {
  /** Inputs of `nft -f -`. */
  readonly loads: string[] = [];
  /** Arguments and inputs of `ip` that change something. */
  readonly changes: string[] = [];
  rules: Record<'-4' | '-6', object[]> = { '-4': [LOCAL], '-6': [LOCAL] };
  tables = '';
  /** @returns the reason why nft refuses an input, '' if it does not */
  refuses: (input: string) => string = () => '';
  /** How many programs run at the moment. */
  running = 0;
  busiest = 0;

  async run(program: Program, args: readonly string[], input = ''): Promise<string> {
    this.running++;
    this.busiest = Math.max(this.busiest, this.running);
    await new Promise((resolve) => setImmediate(resolve));
    this.running--;
    if (program === 'ip') return this.ip(args, input);
    if (args[0] === 'list') return this.tables;
    const reason = this.refuses(input);
    if (reason !== '') throw new ProgramError(program, args, reason, false);
    this.loads.push(input);
    return '';
  }

  private ip(args: readonly string[], input: string): string {
    if (args.includes('show')) return JSON.stringify(this.rules[args[0] as '-4']);
    this.changes.push(`${args[0]} ${input}`);
    return '';
  }
}

const LOCAL = { priority: 0, src: 'all', table: 'local' };
