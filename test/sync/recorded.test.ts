import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { DirectorPort, Query, QueryResults } from '../../src/core/commands.ts';
import type { Director } from '../../src/core/director.ts';
import { EntryImage } from '../../src/core/entry-image.ts';
import { SyncIntake } from '../../src/core/sync-intake.ts';
import { SyncOffers } from '../../src/core/sync-offers.ts';
import { LogLimit } from '../../src/sync/log-limit.ts';
import { Outbox } from '../../src/sync/outbox.ts';
import { Receiver } from '../../src/sync/receiver.ts';
import { SyncCounters } from '../../src/sync/sync-counters.ts';
import { printMessage } from '../../src/sync/wire/print.ts';
import { runWith } from '../cli/in-process.ts';
import { areAlike } from '../replay/compare.ts';
import { Lab } from '../replay/lab.ts';
import { makeDirector, sec } from '../support/core.ts';

const NAMES = [
  '201-v1-ipv4',
  '202-v1-ipv6',
  '203-v0',
  '204-sync-filter',
  '206-pe-sip',
  '207-backup-takes-over',
];
/** Records leave about so long before the end of the three seconds that the recordings wait. */
const AHEAD_SEC = 0.5;

/** One line of a golden file. */
interface GoldenRecord {
  readonly t: number;
  readonly argv?: readonly string[];
  readonly sh?: string;
  readonly step?: string;
  readonly ns?: string;
  readonly stdout?: string;
  readonly payloads?: readonly string[];
}

describe('two directors do what two kernels did in the recorded scenario', () => {
  test.each(NAMES)('%s', async (name) => {
    const pair = new Pair();
    let compared = 0;
    const text = readFileSync(new URL(`../golden/sync/${name}.golden`, import.meta.url), 'utf8');
    for (const line of text.trim().split('\n')) {
      const record = JSON.parse(line) as GoldenRecord;
      const found = await pair.play(record);
      if (found === undefined) continue;
      compared++;
      const wanted = record.payloads ? printed(record.payloads.map(bytesOf)) : record.stdout;
      const isAlike = wanted === found || areAlike(wanted ?? '', found);
      if (!isAlike) expect(found, line).toBe(wanted);
    }
    expect(compared).toBeGreaterThan(3);
  });
});

/** The recordings' master with the network around it, and its backup. */
class Pair {
  private readonly lab = new Lab();
  private readonly backup: Director = makeDirector({ host: { ...HOST } });
  private outbox: Outbox | undefined;
  private receiver: Receiver | undefined;
  private captured: Uint8Array[] = [];

  /** @returns what is to be compared */
  async play(record: GoldenRecord): Promise<string | undefined> {
    const { argv, sh, step, ns, t } = record;
    if (ns === 'dir2') return this.onBackup(argv, sh, sec(t));
    if (sh?.startsWith('sysctl')) return undefined;
    const words = argv ?? (sh ? ['sh', sh] : step!.split(' '));
    if (words[0] === 'sysctl') return this.set(step!);
    if (words[0] === 'capture') {
      this.captured = [];
      return undefined;
    }
    if (words[0] === 'captured') return printed(this.captured);
    const result = await this.lab.play(words.join(' '));
    if (words.includes('--start-daemon')) this.startMaster();
    if (words[0] === 'sleep') this.deliver(sec(t - AHEAD_SEC));
    return result?.stdout;
  }

  private set(step: string): undefined {
    const [, name, value] = /net\.ipv4\.vs\.(\w+)="?([^"]*)"?$/.exec(step)!;
    this.lab.director.apply({ op: 'set-sysctl', name: name!, value: value! }, 0);
    this.backup.apply({ op: 'set-sysctl', name: name!, value: value! }, 0);
  }

  private startMaster(): void {
    const { director } = this.lab;
    const { syncId, maxLen } = director.daemons.list()[0]!;
    const outbox = new Outbox({ syncId, maxLen, queueMax: () => 1000, queueMaxBytes: 1 << 20 });
    const image = new EntryImage();
    const sink = {
      offer(id: number, now: number) {
        image.show(director.life.conns, id);
        outbox.add(image, director.settings.number('sync_version') === 0 ? 0 : 1, now);
      },
    };
    director.setSyncOffers(new SyncOffers(director.life.conns, director.settings, sink));
    this.outbox = outbox;
  }

  private deliver(now: number): void {
    this.backup.expire(now);
    for (;;) {
      const message = this.outbox?.take(Number.POSITIVE_INFINITY);
      if (message === undefined) return;
      this.captured.push(message);
      this.receiver?.message(message, 'master', now);
    }
  }

  private async onBackup(
    argv: readonly string[] | undefined,
    sh: string | undefined,
    now: number,
  ): Promise<string> {
    const { backup } = this;
    backup.expire(now);
    if (sh?.startsWith('cat')) {
      const { text } = backup.ask({ query: 'proc', name: 'ip_vs_conn_sync', from: 0 }, now);
      return `${text.trimEnd().split('\n').sort().join('\n')}\n`;
    }
    const ask = async (query: Query): Promise<QueryResults[Query['query']]> => {
      if (query.query === 'status') throw new Error('the core alone has no status');
      return backup.ask(query, now);
    };
    const port: DirectorPort = {
      apply: async (command) => backup.apply(command, now),
      ask: ask as DirectorPort['ask'],
    };
    const { stdout } = await runWith(argv!.slice(1), () => Promise.resolve(port));
    this.listen();
    return stdout;
  }

  private listen(): void {
    const { life, settings, timeouts, config, daemons } = this.backup;
    const [daemon] = daemons.list();
    this.receiver =
      daemon &&
      new Receiver({
        syncId: daemon.syncId,
        maxLen: daemon.maxLen,
        intake: new SyncIntake({ life, settings, timeouts, services: config.services }),
        offers: () => undefined,
        counters: new SyncCounters(),
        problems: new LogLimit(
          () => {},
          () => 0,
        ),
      });
  }
}

const HOST = {
  isLocal: () => false,
  isBroadcast: () => false,
  interfaceMtu: () => 1500,
  multicastProblem: () => undefined,
};

/** The records of messages, each once and sorted: how often one is told and in which order is left to chance. */
function printed(messages: readonly Uint8Array[]): string {
  const lines = messages.flatMap((message) => printMessage(message).split('\n').slice(1));
  return [...new Set(lines)].sort().join('\n');
}

const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
