import { describe, expect, test } from 'vitest';
import { METHOD } from '../../src/core/config.ts';
import { DIRECTION, NOT_OPENED, TCP_EVENT } from '../../src/core/flow.ts';
import { TCP_STATE_NAMES } from '../../src/core/tcp.ts';
import {
  ALL_FLAGS,
  destConfig,
  flowTo,
  makeDirector,
  sec,
  serverOf,
  serviceConfig,
} from '../support/core.ts';

const SERVICE = serviceConfig();

/** Steps: `c` from the client, `s` from the server, then S(YN), F(IN), A(CK) or R(ST); what a kernel then listed. */
const CASES = [
  { method: METHOD.MASQ, steps: 'cS', state: 'SYN_RECV', timeoutSec: 60 },
  { method: METHOD.MASQ, steps: 'cS sS', state: 'SYN_RECV', timeoutSec: 60 },
  { method: METHOD.MASQ, steps: 'cS sS cA', state: 'ESTABLISHED', timeoutSec: 900 },
  { method: METHOD.MASQ, steps: 'cS sS cA cF', state: 'CLOSE_WAIT', timeoutSec: 60 },
  { method: METHOD.MASQ, steps: 'cS sS cA sF', state: 'FIN_WAIT', timeoutSec: 120 },
  { method: METHOD.MASQ, steps: 'cS sS cA cF sF', state: 'TIME_WAIT', timeoutSec: 120 },
  { method: METHOD.MASQ, steps: 'cS sS cA sF cF', state: 'TIME_WAIT', timeoutSec: 120 },
  { method: METHOD.MASQ, steps: 'cS sR', state: 'CLOSE', timeoutSec: 10 },
  { method: METHOD.MASQ, steps: 'cS sS cA cR', state: 'CLOSE', timeoutSec: 10 },
  { method: METHOD.ROUTE, steps: 'cS cA', state: 'ESTABLISHED', timeoutSec: 900 },
  { method: METHOD.ROUTE, steps: 'cS cA cF', state: 'FIN_WAIT', timeoutSec: 120 },
  { method: METHOD.ROUTE, steps: 'cS cR', state: 'SYN_RECV', timeoutSec: 60 },
  { method: METHOD.ROUTE, steps: 'cS cF', state: 'TIME_WAIT', timeoutSec: 120 },
  { method: METHOD.ROUTE, steps: 'cS cA cS', state: 'ESTABLISHED', timeoutSec: 900 },
] as const;

describe('TCP entries move as in a kernel', () => {
  test.each(CASES)('method $method: $steps gives $state', ({ method, steps, state, timeoutSec }) => {
    const { director, open, play } = setUp({ method });
    const id = open(1000);
    play(id, steps.split(' ').slice(1));
    const { conns } = director.life;
    expect(TCP_STATE_NAMES[conns.state(id)]).toBe(state);
    expect(conns.timeoutSec(id)).toBe(timeoutSec);
  });

  test('--set changes the timeouts of established and FIN_WAIT entries from their next segment on', () => {
    const { director, open, play } = setUp({});
    const id = open(1000);
    play(id, ['sS', 'cA']);
    director.apply({ op: 'set-timeouts', timeouts: { tcpSec: 100, tcpFinSec: 20, udpSec: 0 } }, 0);
    expect(director.life.conns.timeoutSec(id)).toBe(900);
    play(id, ['cA']);
    expect(director.life.conns.timeoutSec(id)).toBe(100);
    play(id, ['sF']);
    expect(director.life.conns.timeoutSec(id)).toBe(20);
  });

  test('a server counts an entry active from its first SYN to its first FIN', () => {
    const { director, open, play } = setUp({});
    const counts = (): number[] => {
      const dest = director.ask({ query: 'dests', service: SERVICE }, 0)[0]!;
      return [dest.active, dest.inactive];
    };
    const id = open(1000);
    expect(counts()).toEqual([1, 0]);
    play(id, ['sS', 'cA', 'cF']);
    expect(counts()).toEqual([0, 1]);
    director.expire(sec(60));
    expect(counts()).toEqual([0, 0]);
  });
});

describe('a client port used again', () => {
  const twoServers = (mode: string) => {
    const made = setUp({});
    made.director.apply({ op: 'add-dest', service: SERVICE, dest: destConfig(2) }, 0);
    made.director.apply({ op: 'set-sysctl', name: 'conn_reuse_mode', value: mode }, 0);
    return made;
  };

  test.each([
    { mode: '1', steps: ['sR'], rescheduled: true },
    { mode: '1', steps: ['sS', 'cA', 'cF', 'sF'], rescheduled: true },
    { mode: '1', steps: ['sS', 'cA'], rescheduled: false },
    { mode: '0', steps: ['sR'], rescheduled: false },
  ])(
    'with conn_reuse_mode=$mode after $steps is scheduled anew: $rescheduled',
    ({ mode, steps, rescheduled }) => {
      const { director, open, play } = twoServers(mode);
      const first = open(1000);
      const server = serverOf(director, first);
      play(first, steps);
      expect(serverOf(director, open(1000)) !== server).toBe(rescheduled);
      expect(director.connectionCount).toBe(1);
    },
  );
});

describe('entries of a deleted server', () => {
  test('stay and take no packets, and go on when the server is back', () => {
    const { director, open } = setUp({});
    const id = open(1000);
    director.apply({ op: 'delete-dest', service: SERVICE, dest: destConfig(1) }, 0);
    expect(open(1000)).toBe(NOT_OPENED.DROP);
    expect(director.available(id)).toBe(false);
    director.apply({ op: 'add-dest', service: SERVICE, dest: destConfig(1) }, 0);
    expect(director.available(id)).toBe(true);
    expect(open(1000)).toBe(id);
  });

  test('are ended at once with expire_nodest_conn', () => {
    const gone: number[] = [];
    const { director, open } = setUp({}, (id) => gone.push(id));
    const id = open(1000);
    director.apply({ op: 'set-sysctl', name: 'expire_nodest_conn', value: '1' }, 0);
    director.apply({ op: 'delete-dest', service: SERVICE, dest: destConfig(1) }, 0);
    expect(director.nextDeadline()).toBe(0);
    director.expire(0);
    expect(gone).toEqual([id]);
    expect(director.connectionCount).toBe(0);
  });

  test('count again when the service is cleared and made anew', () => {
    const { director, open } = setUp({});
    open(1000);
    director.apply({ op: 'flush' }, 0);
    director.apply({ op: 'add-service', service: SERVICE, flagsMask: ALL_FLAGS }, 0);
    director.apply({ op: 'add-dest', service: SERVICE, dest: destConfig(1) }, 0);
    expect(director.ask({ query: 'dests', service: SERVICE }, 0)[0]).toMatchObject({
      active: 1,
      inactive: 0,
    });
  });

  test('an idle server is forgotten after three minutes in the trash', () => {
    const { director } = setUp({});
    director.apply({ op: 'delete-dest', service: SERVICE, dest: destConfig(1) }, 0);
    for (const at of [60, 120]) director.expire(sec(at));
    expect(director.config.trash.nextDeadline()).toBe(sec(180));
    director.expire(sec(180));
    expect(director.config.trash.nextDeadline()).toBe(Number.POSITIVE_INFINITY);
  });
});

test('the table refuses new entries when it is full', () => {
  const { open } = setUp({}, undefined, 2);
  expect([open(1), open(2)].every((id) => id >= 0)).toBe(true);
  expect(open(3)).toBe(NOT_OPENED.TABLE_FULL);
});

function setUp(
  dest: Parameters<typeof destConfig>[1],
  onExpired: (id: number) => void = () => {},
  connMax = 100,
) {
  const director = makeDirector({ onExpired, connMax });
  director.apply({ op: 'add-service', service: SERVICE, flagsMask: ALL_FLAGS }, 0);
  director.apply({ op: 'add-dest', service: SERVICE, dest: destConfig(1, dest) }, 0);
  const open = (cport: number): number => director.open(flowTo(SERVICE, cport), 1, 60, 0);
  const play = (id: number, steps: readonly string[]): void => {
    for (const [side, flag] of steps) {
      const direction = side === 'c' ? DIRECTION.INPUT : DIRECTION.OUTPUT;
      const event = { S: TCP_EVENT.SYN, F: TCP_EVENT.FIN, A: TCP_EVENT.ACK, R: TCP_EVENT.RST }[flag ?? ''];
      if (event === undefined) throw new Error(`unknown step ${side}${flag}`);
      director.segment(id, direction, event, 1, 52, 0);
    }
  };
  return { director, open, play };
}
