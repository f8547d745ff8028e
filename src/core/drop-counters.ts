import { DROP_REASONS, type DropReason, VERDICT } from './verdict.ts';

/** How many packets were dropped, by reason. */
export class DropCounters {
  private readonly counts: Record<DropReason, number>;

  constructor() {
    const entries = DROP_REASONS.map((reason) => [reason, 0] as const);
    this.counts = Object.fromEntries(entries) as Record<DropReason, number>;
  }

  count(reason: DropReason): void {
    this.counts[reason]++;
  }

  drop(reason: DropReason): typeof VERDICT.DROP {
    this.counts[reason]++;
    return VERDICT.DROP;
  }

  read(): Readonly<Record<DropReason, number>> {
    return { ...this.counts };
  }
}
