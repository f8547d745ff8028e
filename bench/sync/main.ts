import { EntryImage } from '../../src/core/entry-image.ts';
import { DIRECTION, TCP_EVENT } from '../../src/core/flow.ts';
import { SyncIntake } from '../../src/core/sync-intake.ts';
import { SyncOffers } from '../../src/core/sync-offers.ts';
import { HOOK } from '../../src/core/verdict.ts';
import { LogLimit } from '../../src/sync/log-limit.ts';
import { Outbox } from '../../src/sync/outbox.ts';
import { Receiver } from '../../src/sync/receiver.ts';
import { SyncCounters } from '../../src/sync/sync-counters.ts';
import { type Figure, report } from '../figures.ts';
import { median } from '../micro/measure.ts';
import { ackOf, directorWith, flowOf } from '../micro/tables.ts';

/*
 * What synchronisation costs: the master's part for each packet and connection, with it on against off, in turn in one
 * process and by CPU time; and how many records a backup takes in a second.
 */
const { INPUT, OUTPUT } = DIRECTION;
const { SYN, ACK, FIN } = TCP_EVENT;
const ROUNDS = 15;
const CONNECTIONS = 20_000;
const PACKETS = 400_000;
const CONN_MAX = 1 << 17;
/** Connections a second at which the overhead is judged. */
const RATE = 10_000;
/** Of one processor. */
const MOST_PERCENT = 5;
const LEAST_RECORDS = 200_000;
const RECORD_COUNT = 200_000;
const MAX_LEN = 1472;

type Director = ReturnType<typeof directorWith>['director'];

process.exitCode = report([...connections(), ...packets(), ...backup()]);

function cpuMs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** Entries go into messages as the master puts them there; a socket would take these. */
function offersOf(director: Director, keep: (message: Uint8Array) => void = () => {}): SyncOffers {
  const outbox = new Outbox({
    syncId: 1,
    maxLen: MAX_LEN,
    queueMax: () => Number.MAX_SAFE_INTEGER,
    queueMaxBytes: Number.MAX_SAFE_INTEGER,
  });
  const image = new EntryImage();
  const { life, settings } = director;
  return new SyncOffers(life.conns, settings, {
    offer(id, now) {
      image.show(life.conns, id);
      if (!outbox.add(image, 1, now)) return;
      const message = outbox.take(now)!;
      keep(message);
      outbox.recycle(message);
    },
  });
}

/** Whole lives: handshake, eight packets of data, end. */
function connections(): Figure[] {
  const { director, service } = directorWith('rr', 10, CONN_MAX);
  director.apply({ op: 'set-sysctl', name: 'run_estimation', value: '0' }, 0);
  const flows = Array.from({ length: CONNECTIONS }, (_, n) => flowOf(service, n));
  const offers = offersOf(director);
  let now = 0;
  const live = (): void => {
    for (const flow of flows) {
      const id = director.open(flow, 1, 60, now);
      director.segment(id, OUTPUT, SYN, 1, 60, now);
      director.segment(id, INPUT, ACK, 1, 52, now);
      for (let n = 0; n < 8; n++) director.segment(id, (n & 1) === 0 ? INPUT : OUTPUT, ACK, 1, 500, now);
      director.segment(id, INPUT, FIN, 1, 52, now);
      director.segment(id, OUTPUT, FIN, 1, 52, now);
      director.segment(id, INPUT, ACK, 1, 52, now);
    }
    now += 200_000;
    director.expire(now);
  };
  const [off, on] = inTurn(director, offers, live);
  const extraUs = ((on - off) * 1000) / CONNECTIONS;
  return [
    { what: 'connection of 13 packets, sync off', value: (off * 1000) / CONNECTIONS, unit: 'us' },
    { what: 'more with sync on (three records)', value: extraUs, unit: 'us' },
    {
      what: 'that is, of a processor at 10,000 connections a second',
      value: (extraUs * RATE) / 1e4,
      unit: '%',
      limit: MOST_PERCENT,
    },
    { what: 'that is, of the time without sync', value: ((on - off) / off) * 100, unit: '%' },
  ];
}

/** Packets of established connections, of which one in fifty is told. */
function packets(): Figure[] {
  const { director, service } = directorWith('rr', 10, CONN_MAX);
  const flows = Array.from({ length: 10_000 }, (_, n) => flowOf(service, n));
  for (const flow of flows) {
    const id = director.open(flow, 1, 60, 0);
    director.segment(id, OUTPUT, SYN, 1, 60, 0);
    director.segment(id, INPUT, ACK, 1, 52, 0);
  }
  const bytes = flows.map(({ caddr, cport, vaddr, vport }) => ackOf(caddr, cport, vaddr, vport));
  const offers = offersOf(director);
  const run = (): void => {
    for (let n = 0; n < PACKETS; n++) {
      const packet = bytes[n % bytes.length]!;
      director.packet(packet, 0, packet.length, HOOK.LOCAL_IN, 0, 1);
    }
  };
  const [off, on] = inTurn(director, offers, run);
  return [
    { what: 'packet of an established connection, sync off', value: (off * 1e6) / PACKETS, unit: 'ns' },
    { what: 'more with sync on', value: ((on - off) * 1e6) / PACKETS, unit: 'ns' },
    {
      what: 'that is, of the time without sync',
      value: ((on - off) / off) * 100,
      unit: '%',
      limit: MOST_PERCENT,
    },
  ];
}

/** Median CPU ms without and with a master. */
function inTurn(director: Director, offers: SyncOffers, work: () => void): [number, number] {
  const times: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS * 2; round++) {
    const isOn = round & 1;
    director.setSyncOffers(isOn === 1 ? offers : undefined);
    const time = cpuMs(work);
    // The first rounds warm up.
    if (round >= 4) times[isOn]!.push(time);
  }
  return [median(times[0]), median(times[1])];
}

/** Messages as a master sends them, of new connections and then of the same again. */
function backup(): Figure[] {
  const messages = recorded();
  const { director } = directorWith('rr', 10, RECORD_COUNT * 2);
  const { life, settings, timeouts, config } = director;
  const counters = new SyncCounters();
  const receiver = new Receiver({
    syncId: 1,
    maxLen: MAX_LEN,
    intake: new SyncIntake({ life, settings, timeouts, services: config.services }),
    offers: () => undefined,
    counters,
    problems: new LogLimit(
      () => {},
      () => 0,
    ),
  });
  const take = (): number =>
    cpuMs(() => {
      for (const message of messages) receiver.message(message, '', 0);
    });
  const first = take();
  const count = counters.outcomes.created;
  const again = median(Array.from({ length: 9 }, take));
  const us = (ms: number): number => (ms * 1000) / count;
  return [
    {
      what: `record of a new connection (${count} of them)`,
      value: us(first),
      unit: 'us',
      limit: 1e6 / LEAST_RECORDS,
    },
    { what: 'record of a known connection', value: us(again), unit: 'us', limit: 1e6 / LEAST_RECORDS },
    { what: 'known connections: thousand records a second', value: count / again, unit: '' },
  ];
}

function recorded(): Uint8Array[] {
  const { director, service } = directorWith('rr', 10, RECORD_COUNT * 2);
  director.apply({ op: 'set-sysctl', name: 'sync_threshold', value: '2 50' }, 0);
  const messages: Uint8Array[] = [];
  director.setSyncOffers(offersOf(director, (message) => messages.push(message.slice())));
  for (let n = 0; n < RECORD_COUNT; n++) {
    const id = director.open(flowOf(service, n), 1, 60, 0);
    director.segment(id, OUTPUT, SYN, 1, 60, 0);
    director.segment(id, INPUT, ACK, 1, 52, 0);
  }
  return messages;
}
