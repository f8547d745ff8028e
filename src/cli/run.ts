import { NoDirector } from '../control/client.ts';
import type { DirectorPort } from '../core/commands.ts';
import { IpvsError } from '../core/errors.ts';
import { ChangeQueue } from './change-queue.ts';
import { type ListRequest, type Output, runListing } from './listings.ts';
import { generalText, refusalText } from './messages.ts';
import type { Names } from './names.ts';
import { parseArguments } from './parse.ts';
import type { Request } from './request.ts';
import { restoreLines } from './restore-lines.ts';
import { helpText, VERSION_TEXT } from './usage.ts';
import { EXIT, UsageError } from './usage-error.ts';

/** Errnos of a socket that exists but may not be used. */
const CLOSED_TO_US: readonly string[] = ['EACCES', 'EPERM'];

const NO_IPVS = 'Protocol not available';

/** What the program reads and writes. */
export interface Streams extends Output {
  /** Called only if standard input is wanted. */
  stdin(): AsyncIterable<string>;
}

type Change = Extract<Request, { kind: 'change' }>;

/** What follows a line of a restore. */
interface Outcome {
  readonly status: number;
  readonly stops: boolean;
}

const EVERYTHING: ListRequest = {
  kind: 'list-table',
  service: undefined,
  options: { form: 'plain', numeric: false, exact: false, sorted: true },
};

/**
 * Does what ipvsadm 1.31 does with these words: same output, same messages, same exit status. Like that program it
 * wants its director before it reads a word.
 *
 * @param words the command line without the program's name
 * @returns the exit status
 */
export async function runIpvsadm(
  words: readonly string[],
  streams: Streams,
  connect: () => Promise<DirectorPort>,
  names: Names,
): Promise<number> {
  const director = await connectOrSayWhy(connect, streams);
  if (!director) return EXIT.REFUSED;
  if (words.length === 0) return runListing(EVERYTHING, director, names, streams);
  const session = new Session(director, streams, names);
  return (await session.run(words)).status;
}

class Session {
  private readonly director: DirectorPort;
  private readonly streams: Streams;
  private readonly names: Names;

  constructor(director: DirectorPort, streams: Streams, names: Names) {
    this.director = director;
    this.streams = streams;
    this.names = names;
  }

  async run(words: readonly string[]): Promise<Outcome> {
    const request = await this.parse(words, false);
    return 'kind' in request ? this.perform(request) : this.refuse(request);
  }

  /** @returns what the words ask for, or why they are refused */
  private async parse(words: readonly string[], restoring: boolean): Promise<Request | UsageError> {
    try {
      return await parseArguments(words, this.names, restoring);
    } catch (error) {
      if (error instanceof UsageError) return error;
      throw error;
    }
  }

  private refuse(error: UsageError): Outcome {
    this.streams.stderr(`${error.message}\n`);
    return { status: error.status, stops: error.stopsRestore };
  }

  private async perform(request: Request): Promise<Outcome> {
    switch (request.kind) {
      case 'help':
        this.streams.stdout(helpText());
        return { status: EXIT.OK, stops: true };
      case 'version':
        this.streams.stdout(VERSION_TEXT);
        return { status: EXIT.OK, stops: true };
      case 'restore':
        return { status: await this.restore(), stops: true };
      case 'change':
        return this.change(request);
      default: {
        const status = await runListing(request, this.director, this.names, this.streams);
        return { status, stops: status !== EXIT.OK };
      }
    }
  }

  private async change(request: Change): Promise<Outcome> {
    const [outcome] = await Promise.allSettled([this.director.apply(request.change)]);
    return { status: this.report(outcome, request), stops: false };
  }

  /** @returns the status that a change's outcome gives, after saying why it was refused */
  private report(outcome: PromiseSettledResult<void>, request: Change): number {
    if (outcome.status === 'fulfilled') return EXIT.OK;
    if (!(outcome.reason instanceof IpvsError)) throw outcome.reason;
    this.streams.stderr(refusalText(request.command, outcome.reason));
    return EXIT.FAILED;
  }

  /** Changes do not wait for each other's answers; everything else waits for all before it. The last line's status counts. */
  private async restore(): Promise<number> {
    let status: number = EXIT.OK;
    const changes = new ChangeQueue<Change>((outcome, request) => {
      status = this.report(outcome, request);
    });
    for await (const words of restoreLines(this.streams.stdin())) {
      const request = await this.parse(words, true);
      if ('kind' in request && request.kind === 'change') {
        await changes.add(this.director.apply(request.change), request);
        continue;
      }
      await changes.drained();
      const outcome = 'kind' in request ? await this.perform(request) : this.refuse(request);
      status = outcome.status;
      if (outcome.stops) break;
    }
    await changes.drained();
    return status;
  }
}

async function connectOrSayWhy(
  connect: () => Promise<DirectorPort>,
  output: Output,
): Promise<DirectorPort | undefined> {
  try {
    return await connect();
  } catch (error) {
    const [text, reason] = initialisationFault(error);
    output.stderr(`Can't initialize ipvs: ${text}\n`);
    output.stderr('Are you sure that IP Virtual Server is built in the kernel or as module?\n');
    if (reason !== undefined) output.stderr(`uipvs: ${reason}\n`);
    return undefined;
  }
}

/** @returns ipvsadm's words, and ours if they say more. */
function initialisationFault(error: unknown): [string, string | undefined] {
  if (error instanceof IpvsError) return [generalText(error.errno), undefined];
  if (error instanceof NoDirector && CLOSED_TO_US.includes(error.code))
    return [generalText('EPERM'), undefined];
  return [NO_IPVS, error instanceof Error ? error.message : String(error)];
}
