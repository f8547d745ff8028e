import type { DirectorPort, ProcName, Sysctl } from '../core/commands.ts';
import { ERRNO, IpvsError } from '../core/errors.ts';
import { connectDirector } from '../netlink/client.ts';
import { E } from './abi.ts';
import { type DirectorLink, Lost } from './director-link.ts';

/**
 * The director's texts and settings, and all that is asked of it by commands instead of bytes. Its promises are settled
 * without a turn of the event loop: whatever they wait for is a synchronous call.
 */
export class DirectorTexts {
  private readonly link: DirectorLink;
  private port: DirectorPort | undefined;
  private generation = 0;

  /** @param link of its own: greeting the director changes how it answers */
  constructor(link: DirectorLink) {
    this.link = link;
  }

  /** @throws Lost, IpvsError */
  async director(): Promise<DirectorPort> {
    const generation = this.link.generation();
    if (this.port && generation === this.generation) return this.port;
    this.generation = generation;
    this.port = await connectDirector(async (request, take) => {
      for (const reply of this.link.exchange(request)) if (take(reply)) return;
    });
    return this.port;
  }

  /** @returns a text of /proc/net. @throws Lost, IpvsError */
  async text(name: ProcName): Promise<string> {
    const director = await this.director();
    let text = '';
    for (let from = 0; from >= 0; ) {
      const slice = await director.ask({ query: 'proc', name, from });
      text += slice.text;
      from = slice.next;
    }
    return text;
  }

  /** @param name `undefined`: all. @throws Lost, IpvsError */
  async settings(name?: string): Promise<readonly Sysctl[]> {
    return (await this.director()).ask({ query: 'sysctl', name });
  }

  /** @throws Lost, IpvsError */
  async change(name: string, value: string): Promise<void> {
    await (await this.director()).apply({ op: 'set-sysctl', name, value });
  }
}

/** @returns -errno of what went wrong with the director. @throws what is no failure of it */
export function failure(error: unknown): number {
  if (error instanceof Lost) return error.isUncertain ? -E.EIO : -E.ENOENT;
  if (error instanceof IpvsError) return -ERRNO[error.errno];
  throw error;
}
