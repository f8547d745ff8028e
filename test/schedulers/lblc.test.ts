import { describe, expect, test } from 'vitest';
import { PROTOCOL } from '../../src/core/config.ts';
import { destConfig, flowTo, makeDirector, sec, serverOf, serviceConfig } from '../support/core.ts';
import { Bench, flowToAddress, type ServerState, server, specOf } from './fixture.ts';

const HERE = flowToAddress('10.9.0.1');
const ELSEWHERE = flowToAddress('10.9.0.2');
const HALF_AN_HOUR = sec(1800);

describe('an address that lblc gave to server 1', () => {
  test.each<{ when: string; first: ServerState; second: ServerState; next: string }>([
    { when: 'another is less loaded', first: { inactive: 99 }, second: {}, next: '1' },
    { when: 'it has as many active connections as its weight', first: { active: 4 }, second: {}, next: '1' },
    {
      when: 'it has more, and another less than half',
      first: { active: 5 },
      second: { active: 1 },
      next: '2',
    },
    { when: 'it has more, and another just half', first: { active: 5 }, second: { active: 2 }, next: '1' },
    {
      when: 'it has more, and is still the best',
      first: { active: 5 },
      second: { inactive: 9999 },
      next: '1',
    },
    { when: 'it is quiesced', first: { weight: 0 }, second: { active: 9 }, next: '2' },
    { when: 'it is overloaded', first: { overloaded: true }, second: {}, next: '1' },
    { when: 'all are quiesced', first: { weight: 0 }, second: { weight: 0 }, next: '-' },
  ])('goes to $next when $when', ({ first, second, next }) => {
    const bench = new Bench(specOf('lblc'), [server(1, { weight: 4 }), server(2, { weight: 4 })]);
    expect(bench.choices([HERE])).toBe('1');
    Object.assign(bench.dests[0]!, first);
    Object.assign(bench.dests[1]!, second);
    expect(bench.choices([HERE])).toBe(next);
  });

  test('is not asked for other addresses', () => {
    const bench = new Bench(specOf('lblc'), [server(1), server(2)]);
    bench.choose(HERE);
    bench.dests[0]!.inactive = 5;
    expect(bench.choices([ELSEWHERE, HERE])).toBe('21');
  });

  test('stays with the server that took over', () => {
    const bench = new Bench(specOf('lblc'), [server(1), server(2)]);
    bench.choose(HERE);
    bench.edit(0, 0);
    bench.choose(HERE);
    bench.edit(0, 1);
    bench.dests[1]!.inactive = 5;
    expect(bench.choices([HERE])).toBe('2');
  });

  test.each(['the same object', 'a new object'])('returns to it when it was deleted and is %s', (what) => {
    const bench = new Bench(specOf('lblc'), [server(1), server(2)]);
    bench.choose(HERE);
    const gone = bench.remove(0);
    bench.add(server(3));
    bench.add(what === 'the same object' ? gone : server(1));
    bench.dests[0]!.inactive = 5;
    expect(bench.choices([HERE])).toBe('1');
  });

  test('goes elsewhere while it is deleted, and then does not return', () => {
    const bench = new Bench(specOf('lblc'), [server(1), server(2)]);
    bench.choose(HERE);
    const gone = bench.remove(0);
    expect(bench.choices([HERE])).toBe('2');
    bench.add(gone);
    expect(bench.choices([HERE])).toBe('2');
  });
});

test.each([
  { expiration: '86400', servers: [2, 2] },
  { expiration: '60', servers: [2, 1] },
])('with lblc_expiration $expiration, servers half an hour apart are $servers', ({ expiration, servers }) => {
  const director = makeDirector();
  const service = serviceConfig({ scheduler: 'lblc', protocol: PROTOCOL.UDP });
  director.apply({ op: 'add-service', service, flagsMask: 0 }, 0);
  for (const n of [1, 2]) director.apply({ op: 'add-dest', service, dest: destConfig(n) }, 0);
  director.apply({ op: 'set-timeouts', timeouts: { tcpSec: 0, tcpFinSec: 0, udpSec: 7200 } }, 0);
  director.apply({ op: 'set-sysctl', name: 'lblc_expiration', value: expiration }, 0);
  const chosen = [0, HALF_AN_HOUR].map((now) =>
    serverOf(director, director.open(flowTo(service, 4000 + now), 1, 60, now)),
  );
  expect(chosen).toEqual(servers);
});
