import { describe, expect, test } from 'vitest';
import { DIRECTION } from '../../src/core/flow.ts';
import { Stats } from '../../src/core/stats.ts';
import { ALL_FLAGS, destConfig, flowTo, makeDirector, sec, serviceConfig } from '../support/core.ts';

describe('the estimator', () => {
  test('shows 6 connections per second after a burst of 50 in one period, then decays by a quarter', () => {
    const stats = new Stats();
    for (let i = 0; i < 50; i++) stats.countConn();
    expect(stats.read().conns).toBe(0);
    const rates = [1, 2, 3, 4].map(() => {
      stats.estimate();
      return stats.read().cps;
    });
    expect(rates).toEqual([6, 5, 4, 3]);
    expect(stats.read().conns).toBe(50);
  });

  test('keeps 64-bit byte counters exact', () => {
    const stats = new Stats();
    stats.count(DIRECTION.INPUT, 1, 2 ** 52);
    stats.count(DIRECTION.INPUT, 1, 1);
    stats.estimate();
    expect(stats.read().inBytes).toBe(2 ** 52 + 1);
  });

  test('zero takes the snapshot as its new start; what was counted since reappears', () => {
    const stats = new Stats();
    stats.count(DIRECTION.OUTPUT, 3, 300);
    stats.estimate();
    stats.count(DIRECTION.OUTPUT, 1, 100);
    stats.zero();
    expect(stats.read()).toMatchObject({ outPackets: 0, outBytes: 0, outPps: 0 });
    stats.estimate();
    expect(stats.read()).toMatchObject({ outPackets: 1, outBytes: 100 });
  });
});

describe('a director counts', () => {
  const service = serviceConfig();
  const start = () => {
    const director = makeDirector();
    director.apply({ op: 'add-service', service, flagsMask: ALL_FLAGS }, 0);
    director.apply({ op: 'add-dest', service, dest: destConfig(1) }, 0);
    const id = director.open(flowTo(service, 1000), 2, 0, 0);
    director.touch(id, DIRECTION.INPUT, 3, 4000, 0);
    director.touch(id, DIRECTION.OUTPUT, 5, 6000, 0);
    return { director, id };
  };
  const shown = (director: ReturnType<typeof makeDirector>) =>
    director.ask({ query: 'dests', service }, 0).map((dest) => dest.stats);

  test('for the destination, the service and itself, and shows it every two seconds', () => {
    const { director } = start();
    director.expire(sec(1.999));
    expect(shown(director)).toMatchObject([{ conns: 0 }]);
    director.expire(sec(2));
    const counted = { conns: 1, inPackets: 5, inBytes: 4000, outPackets: 5, outBytes: 6000 };
    expect(shown(director)).toMatchObject([counted]);
    expect(director.ask({ query: 'service', service }, 0).stats).toMatchObject(counted);
    expect(director.total.read()).toMatchObject(counted);
  });

  test('nothing for a deleted server', () => {
    const { director, id } = start();
    director.apply({ op: 'delete-dest', service, dest: destConfig(1) }, 0);
    director.touch(id, DIRECTION.INPUT, 1, 1000, 0);
    director.expire(sec(2));
    expect(director.total.read().inBytes).toBe(4000);
  });

  test('nothing visible while run_estimation is off', () => {
    const { director } = start();
    director.apply({ op: 'set-sysctl', name: 'run_estimation', value: '0' }, 0);
    director.expire(sec(60));
    expect(shown(director)).toMatchObject([{ conns: 0 }]);
  });
});
