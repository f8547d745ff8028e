const WINDOW_MS = 5000;
const LINES = 5;

/** Lets at most five lines of a kind through in five seconds, and then says how many it kept back. */
export class LogLimit {
  private readonly log: (line: string) => void;
  private readonly now: () => number;
  private windowEnd = Number.NEGATIVE_INFINITY;
  private lines = 0;
  private kept = 0;

  /** @param now ms of a clock that never jumps */
  constructor(log: (line: string) => void, now: () => number) {
    this.log = log;
    this.now = now;
  }

  say(line: string): void {
    const now = this.now();
    if (now >= this.windowEnd) {
      if (this.kept > 0) this.log(`sync: ${this.kept} more lines like the last ones`);
      this.windowEnd = now + WINDOW_MS;
      this.lines = 0;
      this.kept = 0;
    }
    if (this.lines < LINES) {
      this.lines++;
      this.log(line);
    } else {
      this.kept++;
    }
  }
}
