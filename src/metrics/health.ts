import { formatAddress } from '../core/address.ts';
import type { ServingState, Status } from '../core/commands.ts';
import { describeService } from '../core/service.ts';
import { SharedCall } from './shared-call.ts';
import type { MetricsSource } from './snapshot.ts';

/** Services that an answer names. */
const NAMED = 3;

const NO_ANSWER = 'the worker does not answer';

/** How far the director's life has come. */
export type Phase = 'starting' | 'serving' | 'draining';

/** What probes ask of the director. Both questions are answered with what is wrong, or `undefined` if nothing is. */
export class Health {
  private phase: Phase = 'starting';
  private readonly info: SharedCall<unknown>;
  private readonly status: SharedCall<Status>;

  /** @param answerLimitMs how long the director may take to answer */
  constructor(source: MetricsSource, answerLimitMs: number) {
    this.info = new SharedCall(() => source.ask({ query: 'info' }), answerLimitMs);
    this.status = new SharedCall(() => source.ask({ query: 'status' }), answerLimitMs);
  }

  enter(phase: Phase): void {
    this.phase = phase;
  }

  /** Whether all threads answer. Rules that are being restored keep the worker busy, which is no illness. */
  async illness(): Promise<string | undefined> {
    if (this.phase === 'starting') return undefined;
    return (await this.info.get()) === undefined ? NO_ANSWER : undefined;
  }

  /** Whether clients can be sent here. */
  async unreadiness(): Promise<string | undefined> {
    if (this.phase !== 'serving') return this.phase;
    const status = await this.status.get();
    if (!status) return NO_ANSWER;
    const waiting = status.services.filter(({ state }) => state.startsWith('waiting'));
    if (waiting.length === 0) return undefined;
    const more = waiting.length > NAMED ? `, ${waiting.length - NAMED} more` : '';
    return `${waiting.slice(0, NAMED).map(waitingText).join(', ')}${more}`;
  }
}

const waitingText = ({ service, state }: ServingState): string =>
  `${describeService(service, formatAddress)} is ${state}`;
