import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { type Processes, until } from './processes.ts';

/** A program that answers each line with a line. */
export class LineProgram {
  private readonly child: ChildProcess;
  private readonly lines: string[] = [];

  /** @param programs ends it with the others */
  constructor(programs: Processes, command: readonly string[]) {
    this.child = programs.start(command, { stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface({ input: this.child.stdout! }).on('line', (line) => this.lines.push(line));
  }

  async line(): Promise<string> {
    await until('the program says something', () => this.lines.length > 0, 30_000);
    return this.lines.shift()!;
  }

  ask(question: string): Promise<string> {
    this.child.stdin!.write(`${question}\n`);
    return this.line();
  }

  async end(): Promise<void> {
    const ended = once(this.child, 'exit');
    this.child.stdin!.end();
    await ended;
  }
}
