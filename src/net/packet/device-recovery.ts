/** How soon a lost device is tried again: after so long first, then each time after twice as long, up to the last. */
const FIRST_MS = 50;
const LAST_MS = 10_000;

export interface DeviceRecoveryOptions {
  /** Opens the device again and sets it up; rejects if that cannot be. */
  readonly reopen: (name: string) => Promise<void>;
  readonly log: (line: string) => void;
  /** Milliseconds. */
  readonly now: () => number;
}

/** What is known of a device that was lost at some time. */
interface Loss {
  delayMs: number;
  /** Why it is not there; '' once it is again. */
  reason: string;
  recoveredAt: number;
  timer: NodeJS.Timeout | undefined;
}

/** Opens devices again that were taken from the director: at once, and less and less often while that fails. */
export class DeviceRecovery {
  private readonly options: DeviceRecoveryOptions;
  private readonly losses = new Map<string, Loss>();

  constructor(options: DeviceRecoveryOptions) {
    this.options = options;
  }

  /** @param reason what its end was told by */
  lost(name: string, reason: string): void {
    const { log, now } = this.options;
    log(`device ${name} is lost: ${reason}`);
    const loss = this.losses.get(name) ?? { delayMs: FIRST_MS, reason, recoveredAt: 0, timer: undefined };
    this.losses.set(name, loss);
    loss.reason = reason;
    // One that is taken away again and again is not worth every effort.
    if (now() - loss.recoveredAt > LAST_MS) loss.delayMs = FIRST_MS;
    this.later(name, loss);
  }

  /** A device is not wanted any more. */
  forget(name: string): void {
    clearTimeout(this.losses.get(name)?.timer);
    this.losses.delete(name);
  }

  /** Which devices are missing, one line each. */
  problems(): string[] {
    return [...this.losses].flatMap(([name, { reason }]) =>
      reason === '' ? [] : [`device ${name} is lost: ${reason}`],
    );
  }

  close(): void {
    for (const name of [...this.losses.keys()]) this.forget(name);
  }

  private later(name: string, loss: Loss): void {
    clearTimeout(loss.timer);
    loss.timer = setTimeout(() => void this.attempt(name, loss), loss.delayMs);
    loss.timer.unref();
    loss.delayMs = Math.min(2 * loss.delayMs, LAST_MS);
  }

  private async attempt(name: string, loss: Loss): Promise<void> {
    const { reopen, log, now } = this.options;
    try {
      await reopen(name);
    } catch (error) {
      if (this.losses.get(name) !== loss) return;
      const reason = error instanceof Error ? error.message : String(error);
      if (reason !== loss.reason) log(`device ${name} cannot be opened again: ${reason}`);
      loss.reason = reason;
      this.later(name, loss);
      return;
    }
    if (this.losses.get(name) !== loss) return;
    loss.reason = '';
    loss.recoveredAt = now();
    log(`device ${name} is there again`);
  }
}
