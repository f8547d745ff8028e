import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AF_INET, AF_INET6 } from '../../../../src/core/address.ts';
import {
  type CaptureWish,
  NO_ELEMENTS,
  SETS,
  type SetElements,
  setChanges,
  setElements,
} from '../../../../src/net/packet/host-state/capture-sets.ts';
import { DeviceSlots } from '../../../../src/net/packet/host-state/device-slots.ts';
import { fwmarkDevice } from '../../../../src/net/packet/host-state/names.ts';
import { address } from '../../../support/core.ts';

const slots = new DeviceSlots();
const markOf = (device: string): number => slots.numberOf(device);

test('spells out services, servers and marks, each family for itself', () => {
  const wish: CaptureWish = {
    virtual: [
      { family: AF_INET, protocol: 6, addr: address('10.0.0.1'), port: 80 },
      { family: AF_INET, protocol: 17, addr: address('10.0.0.1'), port: 0 },
      { family: AF_INET6, protocol: 132, addr: address('fd00::1'), port: 9 },
    ],
    servers: [
      { family: AF_INET, protocol: 6, addr: address('10.0.1.200'), port: 8080 },
      { family: AF_INET6, protocol: 6, addr: address('fd01::1'), port: 0 },
    ],
    marks: [
      { family: AF_INET, fwmark: 5 },
      { family: AF_INET, fwmark: 0xffffffff },
    ],
    tunnelServers: [address('10.0.1.201'), address('fd01::2')],
  };
  const lists = (elements: SetElements) => Object.fromEntries(SETS.map((set) => [set, [...elements[set]]]));
  expect(lists(setElements(wish, AF_INET, markOf))).toEqual({
    vip: ['10.0.0.1 . 6 . 80'],
    vip_any: ['10.0.0.1 . 17'],
    vip_addr: ['10.0.0.1'],
    rip: ['10.0.1.200 . 6 . 8080'],
    rip_any: [],
    rip_addr: ['10.0.1.200'],
    quoted: ['0x0a0001c8', '0x0a0001c9'],
    all_errors: ['1'],
    fwmarks: ['0x5 : 0x75690001', '0xffffffff : 0x75690002'],
    links: ['0x75690000 : "uipvs0"', '0x75690001 : "uipvs-fw5"', '0x75690002 : "uipvs-fffffffff"'],
    returns: ['"uipvs0" : 0x75698000', '"uipvs-fw5" : 0x75698001', '"uipvs-fffffffff" : 0x75698002'],
  });
  expect(lists(setElements(wish, AF_INET6, markOf))).toEqual({
    vip: ['fd00::1 . 132 . 9'],
    vip_any: [],
    vip_addr: ['fd00::1'],
    rip: [],
    rip_any: ['fd01::1 . 6'],
    rip_addr: ['fd01::1'],
    quoted: ['0xfd010000000000000000000000000001', '0xfd010000000000000000000000000002'],
    all_errors: [],
    fwmarks: [],
    links: ['0x75690000 : "uipvs0"'],
    returns: ['"uipvs0" : 0x75698000'],
  });
});

const elements = fc
  .array(fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd')), {
    minLength: SETS.length,
    maxLength: SETS.length,
  })
  .map(
    (lists): SetElements => ({
      ...NO_ELEMENTS,
      ...Object.fromEntries(SETS.map((set, i) => [set, new Set(lists[i])])),
    }),
  );

test('changes lead from any state to any other, and only touch what differs', () => {
  fc.assert(
    fc.property(elements, elements, (before, after) => {
      const state: Record<string, Set<string>> = {};
      for (const set of SETS) state[set] = new Set(before[set]);
      for (const line of setChanges(AF_INET, before, after).split('\n').slice(0, -1)) {
        const [, verb, set, list] = /^(add|delete) element ip uipvs (\w+) \{ (.+) \}$/.exec(line)!;
        for (const element of list!.split(', ')) {
          expect(state[set!]!.has(element)).toBe(verb === 'delete');
          if (verb === 'delete') state[set!]!.delete(element);
          else state[set!]!.add(element);
        }
      }
      expect(state).toEqual(Object.fromEntries(SETS.map((set) => [set, after[set]])));
    }),
  );
});

test('names of devices are their own and short enough for any mark', () => {
  const names = fc.uniqueArray(fc.integer({ min: 1, max: 0xffffffff }), { minLength: 2 });
  fc.assert(
    fc.property(names, (marks) => {
      const devices = marks.map(fwmarkDevice);
      for (const device of devices) expect(device).toMatch(/^uipvs-.{1,9}$/);
      expect(new Set(devices).size).toBe(marks.length);
    }),
  );
});

test('a number is given again only after its device was released', () => {
  const devices = new DeviceSlots();
  expect(
    ['uipvs-fw1', 'uipvs0', 'uipvs-fw2', 'uipvs-fw1'].map((name) => devices.numberOf(name) & 0xffff),
  ).toEqual([1, 0, 2, 1]);
  devices.release('uipvs-fw1');
  devices.release('uipvs0');
  expect(['uipvs-fw3', 'uipvs0', 'uipvs-fw1'].map((name) => devices.numberOf(name) & 0xffff)).toEqual([
    1, 0, 3,
  ]);
});
