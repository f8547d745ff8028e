import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatAddress } from '../../src/core/address.ts';
import { PROC_NAMES } from '../../src/core/commands.ts';
import { type DestConfig, METHOD, type ServiceConfig } from '../../src/core/config.ts';
import type { Director } from '../../src/core/director.ts';
import type { Explanation } from '../../src/core/explanation.ts';
import { type ConnId, DIRECTION, type Flow, TCP_EVENT } from '../../src/core/flow.ts';
import { SCHEDULERS } from '../../src/schedulers/registry.ts';
import { ALL_FLAGS, destConfig, flowTo, makeDirector, persistent, serviceConfig } from '../support/core.ts';

/** Nobody can foresee it: every choice takes random numbers. */
const RANDOM = 'twos';
const FORESEEABLE = SCHEDULERS.map(({ name }) => name).filter((name) => name !== RANDOM);

/** What happens before and after an explanation. */
type Step =
  | { readonly kind: 'open'; readonly client: number; readonly isClosed: boolean }
  | { readonly kind: 'edit'; readonly server: number; readonly weight: number }
  | { readonly kind: 'wait'; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('open' as const),
      client: fc.integer({ min: 1, max: 9 }),
      isClosed: fc.boolean(),
    }),
  },
  fc.record({
    kind: fc.constant('edit' as const),
    server: fc.integer({ min: 1, max: 4 }),
    weight: fc.nat(4),
  }),
  fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(200_000) }),
);

describe.each(FORESEEABLE)('%s', (scheduler) => {
  test.each([
    { kind: 'plain', more: {} },
    { kind: 'persistent', more: persistent(100) },
  ])(
    'of a $kind service: the explained servers are the next ones, and explaining changes nothing',
    ({ more }) => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 25 }), fc.integer({ min: 1, max: 9 }), (steps, client) => {
          const service = serviceConfig({ scheduler, ...more });
          const lab = new Lab(service, (n) => ({ weight: n, upperThreshold: n === 3 ? 4 : 0 }));
          for (const each of steps) lab.take(each);
          const before = lab.image();
          const flow = flowTo(service, 60_000, `10.1.0.${client}`);
          const found = lab.explain(flow, 5);
          expect(lab.image()).toEqual(before);
          expect(lab.explain(flow, 5)).toEqual(found);
          const real = found.map((_, i) => lab.connect({ ...flow, cport: flow.cport + i }));
          expect(found.map(({ server }) => server)).toEqual(real);
        }),
        { numRuns: 15 },
      );
    },
  );
});

test('twos says that it is drawn, and explains one of the servers', () => {
  const lab = new Lab(serviceConfig({ scheduler: 'twos' }));
  const [found] = lab.explain(lab.flow(1), 1);
  expect(found).toMatchObject({
    reason: 'scheduler',
    state: 'two servers are drawn at random: this is one of the possible outcomes',
  });
  expect(found!.server).toMatch(/^10\.2\.0\.[1-4]:8080$/);
});

test('an open connection is told as such', () => {
  const lab = new Lab(serviceConfig());
  const server = lab.connect(lab.flow(7));
  expect(lab.explain(lab.flow(7), 1)).toMatchObject([{ server, reason: 'connection' }]);
});

test('an open connection of a deleted server is told, and with expire_nodest_conn is as if it were not there', () => {
  const lab = new Lab(serviceConfig());
  lab.connect(lab.flow(7));
  lab.director.apply({ op: 'delete-dest', service: lab.service, dest: destConfig(4) }, 0);
  expect(lab.explain(lab.flow(7), 1)).toMatchObject([{ server: '', reason: 'server deleted' }]);
  lab.director.apply({ op: 'set-sysctl', name: 'expire_nodest_conn', value: '1' }, 0);
  expect(lab.explain(lab.flow(7), 1)).toMatchObject([{ reason: 'scheduler' }]);
});

test('a port that is used again after the end gets the server that counts without the old connection', () => {
  const lab = new Lab(serviceConfig({ scheduler: 'lc' }));
  for (let port = 1; port <= 3; port++) lab.connect(lab.flow(port));
  const server = lab.connect(lab.flow(4), true);
  expect(lab.explain(lab.flow(4), 1)).toMatchObject([{ server, reason: 'scheduler' }]);
});

test('a template decides although its server is quiesced, unless expire_quiescent_template is set', () => {
  const lab = new Lab(serviceConfig(persistent(100)));
  const server = lab.connect(lab.flow(1));
  lab.director.apply({ op: 'edit-dest', service: lab.service, dest: destConfig(4, { weight: 0 }) }, 0);
  expect(lab.explain(lab.flow(2), 1)).toMatchObject([{ server, reason: 'template', persistentSec: 100 }]);
  lab.director.apply({ op: 'set-sysctl', name: 'expire_quiescent_template', value: '1' }, 0);
  expect(lab.explain(lab.flow(2), 1)).toMatchObject([{ server: '10.2.0.3:8080', reason: 'scheduler' }]);
});

test('a server is left out of the choice, of a table of slots and of a template', () => {
  for (const scheduler of ['rr', 'mh']) {
    const lab = new Lab(serviceConfig({ scheduler, ...persistent(100) }));
    const server = lab.connect(lab.flow(1));
    const gone = destConfig(Number(/(\d):8080$/.exec(server)![1]));
    const [found] = lab.explain(lab.flow(2), 1, [gone]);
    expect(found).toMatchObject({ reason: 'scheduler' });
    expect(found!.server).not.toBe(server);
    expect(found!.candidates).toHaveLength(3);
    expect(lab.explain(lab.flow(2), 1)).toMatchObject([{ server, reason: 'template' }]);
  }
});

test('what cannot be chosen is excluded with its reason', () => {
  const lab = new Lab(serviceConfig(), (n) => (n === 1 ? { weight: 0 } : { upperThreshold: 1 }));
  for (let port = 1; port <= 3; port++) lab.connect(lab.flow(port));
  const [found] = lab.explain(lab.flow(4), 1);
  expect(found).toMatchObject({ server: '', reason: 'nobody may be chosen' });
  const excluded = found!.candidates.map((candidate) => candidate.excluded);
  expect(excluded).toEqual([...Array(3).fill('at its upper threshold'), 'weight 0']);
});

test.each([
  { what: 'no such service', port: 81, times: 1, without: [], errno: 'ESRCH' },
  { what: 'no such server', port: 80, times: 1, without: [destConfig(9)], errno: 'ENOENT' },
  { what: 'too many', port: 80, times: 60_000, without: [], errno: 'EINVAL' },
])('$what is refused with $errno', ({ port, times, without, errno }) => {
  const lab = new Lab(serviceConfig());
  const flow = { ...lab.flow(1), vport: port };
  expect(() => lab.explain(flow, times, without)).toThrow(expect.objectContaining({ errno }));
});

/** A director with four servers behind one service, numbered from 1; the newest is listed first. */
class Lab {
  readonly service: ServiceConfig;
  readonly director: Director;
  private now = 0;
  private port = 1000;

  constructor(service: ServiceConfig, dest: (n: number) => Partial<DestConfig> = () => ({})) {
    this.service = service;
    this.director = makeDirector();
    this.director.apply({ op: 'add-service', service, flagsMask: ALL_FLAGS }, 0);
    for (let n = 1; n <= 4; n++) {
      const method = n === 2 ? METHOD.ROUTE : METHOD.MASQ;
      this.director.apply({ op: 'add-dest', service, dest: destConfig(n, { method, ...dest(n) }) }, 0);
    }
  }

  flow(cport: number): Flow {
    return flowTo(this.service, cport);
  }

  take(each: Step): void {
    if (each.kind === 'wait') {
      this.now += each.ms;
      this.director.expire(this.now);
    } else if (each.kind === 'edit') {
      const dest = destConfig(each.server, { weight: each.weight });
      this.director.apply({ op: 'edit-dest', service: this.service, dest }, this.now);
    } else {
      this.connect(flowTo(this.service, ++this.port, `10.1.0.${each.client}`), each.isClosed);
    }
  }

  /** Opens a connection as client and server do. @returns its server; '' if there is none */
  connect(flow: Flow, isClosed = false): string {
    const id = this.director.open(flow, 1, 40, this.now);
    if (id < 0) return '';
    const { daddr, dport, method } = this.director.target(id);
    if (method === METHOD.MASQ) this.segment(id, DIRECTION.OUTPUT, TCP_EVENT.SYN);
    this.segment(id, DIRECTION.INPUT, TCP_EVENT.ACK);
    if (isClosed) {
      this.segment(id, DIRECTION.INPUT, TCP_EVENT.FIN);
      this.segment(id, DIRECTION.OUTPUT, TCP_EVENT.FIN);
    }
    return `${formatAddress(daddr)}:${dport}`;
  }

  explain(flow: Flow, times: number, without: readonly DestConfig[] = []): readonly Explanation[] {
    return this.director.ask({ query: 'explain', request: { flow, times, without } }, this.now);
  }

  /** All that the director shows of itself. */
  image(): unknown {
    const { director, now, service } = this;
    const texts = PROC_NAMES.map((name) => director.ask({ query: 'proc', name, from: 0 }, now).text);
    return [
      texts,
      director.ask({ query: 'dests', service }, now),
      director.totals(),
      director.nextDeadline(),
    ];
  }

  private segment(id: ConnId, direction: 0 | 1, event: number): void {
    this.director.segment(id, direction, event, 1, 40, this.now);
  }
}
