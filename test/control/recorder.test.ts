import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { recorded } from '../../src/control/recorder.ts';
import { StateFile } from '../../src/control/state-file.ts';
import { FILE_IO } from '../../src/control/state-io.ts';
import type { Command } from '../../src/core/commands.ts';
import type { DestEntry, ServiceEntry } from '../../src/core/config.ts';
import { destConfig } from '../support/core.ts';
import { destEntry, serviceEntry } from '../support/entries.ts';
import { FakeDirector } from './fake-director.ts';
import { tempDir } from './temp-dir.ts';

const THRESHOLDS = { upperThreshold: 5, lowerThreshold: 2 };

const sysctl = (value: string): Command => ({ op: 'set-sysctl', name: 'drop_entry', value });

test('a change is applied and recorded when it is acknowledged, a refused one is not recorded', async () => {
  const { director, port, path, file } = start();
  await port.apply(sysctl('1'));
  director.refusal = 'EEXIST';
  await expect(port.apply(sysctl('2'))).rejects.toMatchObject({ errno: 'EEXIST' });
  await port.apply(sysctl('3'));
  file.close();
  expect(director.applied).toEqual([sysctl('1'), sysctl('3')]);
  expect(reopened(path)).toEqual([sysctl('1'), sysctl('3')]);
});

test('a change that cannot be recorded is undone and refused with the errno', async () => {
  let broken = false;
  const write = (fd: number, bytes: Uint8Array): number => {
    if (broken) throw Object.assign(new Error('full'), { code: 'ENOSPC' });
    return FILE_IO.write(fd, bytes);
  };
  const { director, port, path, file, warn } = start({ ...FILE_IO, write });
  await port.apply(sysctl('1'));
  broken = true;
  await expect(port.apply(sysctl('2'))).rejects.toMatchObject({ name: 'IpvsError', errno: 'ENOSPC' });
  broken = false;
  await port.apply(sysctl('3'));
  file.close();
  expect(director.undone).toBe(1);
  expect(director.applied).toEqual([sysctl('1'), sysctl('3')]);
  expect(reopened(path)).toEqual([sysctl('1'), sysctl('3')]);
  expect(warn).not.toHaveBeenCalled();
});

test('a damaged file is written anew before the next change, or that change is refused', async () => {
  let failing = '';
  const fail = (operation: string): void => {
    if (failing.includes(operation)) throw Object.assign(new Error('bad'), { code: 'EIO' });
  };
  const { director, port, path, file, warn } = start({
    ...FILE_IO,
    write: (fd, bytes) => {
      fail('write');
      return FILE_IO.write(fd, bytes);
    },
    truncate: (fd, size) => {
      fail('truncate');
      FILE_IO.truncate(fd, size);
    },
  });
  director.answers = {
    services: () => [],
    daemons: () => [],
    sysctl: () => [{ name: 'drop_entry', value: '1' }],
  };
  await port.apply(sysctl('1'));
  failing = 'write truncate';
  await expect(port.apply(sysctl('2'))).rejects.toMatchObject({ errno: 'EIO' });
  await expect(port.apply(sysctl('3'))).rejects.toMatchObject({ errno: 'EIO' });
  failing = '';
  await port.apply(sysctl('4'));
  file.close();
  expect(director.applied).toEqual([sysctl('1'), sysctl('4')]);
  expect(reopened(path)).toEqual([sysctl('1'), sysctl('4')]);
  expect(warn).toHaveBeenCalledWith(`${path}: cannot take a record back: EIO`);
});

test('changes that are sent at once are applied and recorded in the same order', async () => {
  const { director, port, path, file } = start();
  const commands = Array.from({ length: 50 }, (_, i) => sysctl(String(i)));
  await Promise.all(commands.map((command) => port.apply(command)));
  file.close();
  expect(director.applied).toEqual(commands);
  expect(reopened(path)).toEqual(commands);
});

test('a change that cannot be recorded takes those sent after it along, in the reverse order', async () => {
  let writes = 0;
  const write = (fd: number, bytes: Uint8Array): number => {
    if (++writes === 4) throw Object.assign(new Error('full'), { code: 'ENOSPC' });
    return FILE_IO.write(fd, bytes);
  };
  const { director, port, path, file } = start({ ...FILE_IO, write });
  const outcomes = await Promise.allSettled(
    ['1', '2', '3', '4', '5'].map((value) => port.apply(sysctl(value))),
  );
  expect(outcomes.map(({ status }) => status === 'fulfilled')).toEqual([true, true, false, false, false]);
  expect(director.undone).toBe(3);
  await port.apply(sysctl('6'));
  file.close();
  expect(director.applied).toEqual(['1', '2', '6'].map(sysctl));
  expect(reopened(path)).toEqual(['1', '2', '6'].map(sysctl));
  expect(director.settled).toBe(3);
});

test('zeroing counters is no configuration', async () => {
  const { director, port, path, file } = start();
  await port.apply({ op: 'zero', service: undefined });
  file.close();
  expect(director.applied).toHaveLength(1);
  expect(reopened(path)).toEqual([]);
});

test('a large file is compacted to commands that rebuild what the director has, oldest first', async () => {
  const { director, port, path, file } = start();
  director.answers = {
    services: () => [service(2), service(1)],
    dests: (query) => (query.service.port === 1 ? [dest(20), dest(10)] : []),
    timeouts: () => ({ tcpSec: 900, tcpFinSec: 120, udpSec: 300 }),
    daemons: () => [],
    sysctl: () => [{ name: 'drop_entry', value: '3' }],
  };
  for (let i = 0; i < 4095; i++) file.append(sysctl('3'));
  await port.apply({ op: 'set-timeouts', timeouts: { tcpSec: 900, tcpFinSec: 0, udpSec: 0 } });
  await port.apply({ op: 'stop-daemon', state: 1 });
  file.close();
  const { stats: _, ...first } = service(1);
  const { stats: __, ...second } = service(2);
  const { family, protocol, addr, port: vport, fwmark } = first;
  const key = { family, protocol, addr, port: vport, fwmark };
  expect(reopened(path)).toEqual([
    sysctl('3'),
    { op: 'set-timeouts', timeouts: { tcpSec: 900, tcpFinSec: 120, udpSec: 300 } },
    { op: 'add-service', service: first, flagsMask: 0xffffffff },
    { op: 'add-dest', service: key, dest: destConfig(10, { ...THRESHOLDS, weight: 10 }) },
    { op: 'add-dest', service: key, dest: destConfig(20, { ...THRESHOLDS, weight: 20 }) },
    { op: 'add-service', service: second, flagsMask: 0xffffffff },
    { op: 'stop-daemon', state: 1 },
  ]);
});

function start(io = FILE_IO) {
  const director = new FakeDirector();
  const path = join(tempDir(), 'state');
  const warn = vi.fn();
  const { file } = StateFile.open(path, { io, warn });
  return { director, path, file, warn, port: recorded(director, file, warn) };
}

function reopened(path: string): readonly Command[] {
  const { file, commands } = StateFile.open(path);
  file.close();
  return commands;
}

const service = (port: number): ServiceEntry =>
  serviceEntry({ port, flags: 1, timeoutSec: 300, netmask: 0xffffff00 });

const dest = (weight: number): DestEntry =>
  destEntry(weight, { ...THRESHOLDS, weight, active: 1, inactive: 2, persistent: 3 });
