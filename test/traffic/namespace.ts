import { execFileSync } from 'node:child_process';
import { openSync, readFileSync, writeFileSync } from 'node:fs';
import { enterNamespace } from './sockets.ts';

/** Of /proc/net/dev: packets sent. */
const SENT_COLUMN = 9;

const outside = openSync('/proc/self/ns/net', 'r');

/** A named network namespace. */
export class Namespace {
  readonly name: string;
  private readonly fd: number;

  private constructor(name: string) {
    this.name = name;
    this.fd = openSync(`/run/netns/${name}`, 'r');
  }

  static make(name: string): Namespace {
    execFileSync('ip', ['netns', 'add', name]);
    return new Namespace(name);
  }

  /** Does something with this thread inside; what is begun and not done when it returns goes on outside. */
  inside<Result>(act: () => Result): Result {
    enterNamespace(this.fd);
    try {
      return act();
    } finally {
      enterNamespace(outside);
    }
  }

  /** @returns the command that runs another one inside */
  command(...words: readonly string[]): string[] {
    return ['ip', 'netns', 'exec', this.name, ...words];
  }

  /** @param lines of `ip -batch` @param options of `ip` */
  ip(lines: readonly string[], ...options: readonly string[]): void {
    execFileSync('ip', [...options, '-n', this.name, '-batch', '-'], { input: `${lines.join('\n')}\n` });
  }

  /** @param settings by path under /proc/sys/net */
  set(settings: Readonly<Record<string, number>>): void {
    this.inside(() => {
      for (const [path, value] of Object.entries(settings))
        writeFileSync(`/proc/sys/net/${path}`, `${value}`);
    });
  }

  /** @returns packets that a device has sent */
  sentBy(device: string): number {
    const lines = this.inside(() => readFileSync('/proc/net/dev', 'utf8')).split('\n');
    const line = lines.find((each) => each.trim().startsWith(`${device}:`));
    return Number(line?.split(':')[1]?.trim().split(/ +/)[SENT_COLUMN]);
  }
}
