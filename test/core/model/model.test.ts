import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Command as CoreCommand } from '../../../src/core/commands.ts';
import { METHOD, PROTOCOL, type ServiceConfig } from '../../../src/core/config.ts';
import type { Director } from '../../../src/core/director.ts';
import { HOOK, VERDICT } from '../../../src/core/verdict.ts';
import { TCP_FLAG } from '../../../src/core/wire/tcp.ts';
import {
  ALL_FLAGS,
  address,
  destConfig,
  makeDirector,
  persistent,
  sec,
  serviceConfig,
} from '../../support/core.ts';
import { packetOf } from '../../support/core-packets.ts';
import { type Flag, type RefDest, Reference } from './reference.ts';

const CONFIGS: readonly ServiceConfig[] = [
  serviceConfig({ scheduler: 'lc' }),
  serviceConfig({ scheduler: 'lc', port: 443, ...persistent(37) }),
  serviceConfig({ scheduler: 'lc', port: 53, protocol: PROTOCOL.UDP }),
  serviceConfig({ scheduler: 'lc', port: 5060, protocol: PROTOCOL.UDP, ...persistent(37) }),
];
const FLAGS = { S: TCP_FLAG.SYN, F: TCP_FLAG.FIN | TCP_FLAG.ACK, A: TCP_FLAG.ACK, R: TCP_FLAG.RST } as const;
/** Each command is this much later than the one before, so that no two deadlines coincide. */
const STEP_MS = 7;

type Change = 'add' | 'edit' | 'delete';
type Step =
  | { do: Change; service: number; server: number; masq: boolean; weight: number; upper: number }
  | { do: 'client'; service: number; client: number; cport: number; flag: Flag }
  | { do: 'server'; service: number; server: number; client: number; cport: number; flag: Flag }
  | { do: 'pass'; seconds: number }
  | { do: 'set'; name: keyof Reference['settings']; value: number };

class StepCommand implements fc.Command<Reference, Director> {
  private readonly step: Step;

  constructor(step: Step) {
    this.step = step;
  }

  check(): boolean {
    return true;
  }

  run(model: Reference, real: Director): void {
    passTo(model, real, model.now + STEP_MS);
    const { step } = this;
    if (step.do === 'pass') passTo(model, real, model.now + sec(step.seconds));
    else if (step.do === 'set') {
      model.settings[step.name] = step.value;
      real.apply({ op: 'set-sysctl', name: step.name, value: String(step.value) }, model.now);
    } else if (step.do === 'client') playClient(model, real, step);
    else if (step.do === 'server') playServer(model, real, step);
    else playChange(model, real, step);
    model.expire();
    real.expire(model.now);
    expect(entriesOf(real, model.now)).toEqual(expectedEntries(model));
    expect(destsOf(real)).toEqual(model.services.map(({ dests }) => dests.map(expectedDest)));
  }

  toString(): string {
    return JSON.stringify(this.step);
  }
}

const service = fc.nat(CONFIGS.length - 1);
const server = fc.integer({ min: 1, max: 3 });
const client = fc.nat(2);
const cport = fc.integer({ min: 4000, max: 4002 });
const flag = fc.constantFrom<Flag>('S', 'S', 'F', 'A', 'R');
const change = fc.record({
  do: fc.constantFrom<Change>('add', 'add', 'edit', 'delete'),
  service,
  server,
  masq: fc.boolean(),
  weight: fc.nat(2),
  upper: fc.constantFrom(0, 0, 2, 4),
});
const steps: fc.Arbitrary<Step>[] = [
  change,
  fc.record({ do: fc.constant('client' as const), service, client, cport, flag }),
  fc.record({ do: fc.constant('client' as const), service, client, cport, flag: fc.constant<Flag>('S') }),
  fc.record({ do: fc.constant('server' as const), service, server, client, cport, flag }),
  fc.record({ do: fc.constant('pass' as const), seconds: fc.constantFrom(1, 5, 11, 31, 61, 130) }),
  fc.record({
    do: fc.constant('set' as const),
    name: fc.constantFrom('conn_reuse_mode', 'expire_nodest_conn', 'expire_quiescent_template'),
    value: fc.nat(3),
  }),
];

test('any sequence of changes, packets and time leaves the same entries and counters as the plain reference', () => {
  const commands = steps.map((step) => step.map((each) => new StepCommand(each)));
  fc.assert(
    fc.property(fc.commands(commands, { maxCommands: 120, size: '+1' }), (sequence) => {
      fc.modelRun(() => ({ model: newReference(), real: newDirector() }), sequence);
    }),
    { numRuns: 150 },
  );
});

function newReference(): Reference {
  return new Reference(
    CONFIGS.map(({ protocol, port, timeoutSec }) => ({
      protocol: protocol === PROTOCOL.TCP ? ('TCP' as const) : ('UDP' as const),
      vport: port,
      persistentSec: timeoutSec,
      dests: [],
    })),
  );
}

function newDirector(): Director {
  const director = makeDirector({ connMax: 500 });
  for (const config of CONFIGS)
    director.apply({ op: 'add-service', service: config, flagsMask: ALL_FLAGS }, 0);
  return director;
}

/** Stops at each deadline of the reference on the way. */
function passTo(model: Reference, real: Director, until: number): void {
  while (model.now < until) {
    model.now = Math.min(until, Math.max(model.nextDeadline(), model.now + 1));
    model.expire();
    real.expire(model.now);
  }
}

function playChange(model: Reference, real: Director, step: Extract<Step, { do: Change }>): void {
  const refService = model.services[step.service]!;
  const known = refService.dests.find(({ n }) => n === step.server);
  if ((step.do === 'add') === (known !== undefined)) return;
  const { weight, upper } = step;
  const isMasq = step.do === 'edit' ? known!.isMasq : step.masq;
  const dest = destConfig(step.server, {
    weight,
    upperThreshold: upper,
    method: isMasq ? METHOD.MASQ : METHOD.ROUTE,
  });
  if (step.do === 'add') model.addDest(refService, step.server, isMasq, weight, upper);
  else if (step.do === 'edit') model.editDest(known!, weight, upper);
  else model.deleteDest(known!);
  const op = `${step.do}-dest` as const;
  const command: CoreCommand = { op, service: CONFIGS[step.service]!, dest };
  real.apply(command, model.now);
}

function playClient(model: Reference, real: Director, step: Extract<Step, { do: 'client' }>): void {
  const expected = model.fromClient(model.services[step.service]!, step.client, step.cport, step.flag);
  const { protocol, addr: dst, port: dport } = CONFIGS[step.service]!;
  const src = clientAddress(step.client);
  const bytes = packetOf({ protocol, src, sport: step.cport, dst, dport, flags: FLAGS[step.flag] });
  const verdict = real.packet(bytes, 0, bytes.length, HOOK.LOCAL_IN, 0, model.now);
  const words = { [VERDICT.PASS]: 'pass', [VERDICT.DROP]: 'drop', [VERDICT.REJECT]: 'reject' } as const;
  const seen =
    verdict === VERDICT.TRANSMIT
      ? real.target(real.packetConn).daddr.words[0] & 255
      : words[verdict as keyof typeof words];
  expect(seen).toBe(expected);
}

function playServer(model: Reference, real: Director, step: Extract<Step, { do: 'server' }>): void {
  const refService = model.services[step.service]!;
  const dest = { n: step.server, service: refService } as RefDest;
  const expected = model.fromServer(dest, step.client, step.cport, step.flag);
  const { protocol } = CONFIGS[step.service]!;
  const ends = { src: address(`10.2.0.${step.server}`), sport: 8080, dst: clientAddress(step.client) };
  const bytes = packetOf({ protocol, ...ends, dport: step.cport, flags: FLAGS[step.flag] });
  const verdict = real.packet(bytes, 0, bytes.length, HOOK.FORWARD, 0, model.now);
  expect(verdict).toBe(expected ? VERDICT.REPLY : VERDICT.PASS);
}

const clientAddress = (n: number) => address(`10.1.0.${n + 10}`);

function entriesOf(real: Director, now: number): string[] {
  const { text } = real.ask({ query: 'proc', name: 'ip_vs_conn', from: 0 }, now);
  return text
    .split('\n')
    .slice(1, -1)
    .map((line) => line.trim().replace(/ +/g, ' '))
    .sort();
}

function expectedEntries(model: Reference): string[] {
  const hex = (value: number, digits: number): string =>
    value.toString(16).toUpperCase().padStart(digits, '0');
  return model.entries
    .map((e) => {
      const clientText = `${hex(0x0a01000a + e.client, 8)} ${hex(e.cport, 4)}`;
      const serverText = `${hex(0x0a020000 + e.dest.n, 8)} ${hex(e.dport, 4)}`;
      const remaining = Math.floor((e.expiresAt - model.now) / 1000);
      return `${e.protocol} ${clientText} 0A000001 ${hex(e.vport, 4)} ${serverText} ${e.state} ${remaining}`;
    })
    .sort();
}

const destsOf = (real: Director): number[][][] =>
  CONFIGS.map((config) =>
    real.config
      .service(config)
      .dests.map((dest) => [
        dest.addr.words[0] & 255,
        dest.weight,
        dest.active,
        dest.inactive,
        dest.persistent,
        Number(dest.overloaded),
        ...dest.stats.readLive().slice(0, 3),
      ]),
  );

const expectedDest = (dest: RefDest): number[] => [
  dest.n,
  dest.weight,
  dest.active,
  dest.inactive,
  dest.persistent,
  Number(dest.overloaded),
  dest.conns,
  dest.inPackets,
  dest.outPackets,
];
