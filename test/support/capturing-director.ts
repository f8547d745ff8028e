import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { SeenPacket, TextWish } from './capture-program.ts';
import { until } from './processes.ts';

const PROGRAM = fileURLToPath(new URL('../../dist/test/support/capture-program.js', import.meta.url));

/** One line of the program. */
interface Line {
  readonly packet?: SeenPacket;
  readonly ready?: readonly string[];
  readonly answer?: unknown;
}

/** A process of capture-program.ts. */
export class CapturingDirector {
  readonly packets: SeenPacket[] = [];
  /** What it found of earlier ones. */
  swept: readonly string[] = [];
  private readonly child: ChildProcess;
  private readonly answers: unknown[] = [];
  private stderr = '';
  private isReady = false;
  /** Resolves when the process has ended and all it said was read. */
  private readonly closed: Promise<unknown>;

  private constructor(command: readonly string[]) {
    this.child = spawn(command[0]!, command.slice(1), { stdio: ['pipe', 'pipe', 'pipe'] });
    this.closed = once(this.child, 'close');
    createInterface({ input: this.child.stdout! }).on('line', (line) => this.take(JSON.parse(line)));
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
  }

  /** @param inside makes a command one that runs where the director is to be */
  static async start(
    inside: (...command: string[]) => string[],
    ...args: readonly string[]
  ): Promise<CapturingDirector> {
    const director = new CapturingDirector(inside(process.execPath, PROGRAM, ...args));
    await until('the program is ready', () => director.isReady || director.child.exitCode !== null);
    if (!director.isReady) {
      await director.closed;
      throw new Error(director.stderr);
    }
    return director;
  }

  async capture(wish: TextWish): Promise<void> {
    await this.ask(`capture ${JSON.stringify(wish)}`);
    this.packets.length = 0;
  }

  async ask(command: string): Promise<unknown> {
    this.child.stdin!.write(`${command}\n`);
    await until(`an answer to ${command.slice(0, 100)}: ${this.stderr}`, () => this.answers.length > 0);
    return this.answers.shift();
  }

  /** Packets with these properties. */
  seen(like: Partial<SeenPacket>): SeenPacket[] {
    const wanted = Object.entries(like);
    return this.packets.filter((packet) => {
      const all: Readonly<Record<string, unknown>> = { ...packet };
      return wanted.every(([name, value]) => all[name] === value);
    });
  }

  async close(): Promise<void> {
    this.child.stdin!.write('close\n');
    await this.ended();
  }

  /** Does nothing if it has ended. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended();
  }

  private async ended(): Promise<void> {
    await this.closed;
    if (this.stderr !== '') throw new Error(this.stderr);
  }

  private take({ packet, ready, answer }: Line): void {
    // What hosts say about groups on any link, a device included.
    if (packet && !packet.dst.startsWith('ff02:')) this.packets.push(packet);
    if (answer !== undefined) this.answers.push(answer);
    if (ready) {
      this.swept = ready;
      this.isReady = true;
    }
  }
}
