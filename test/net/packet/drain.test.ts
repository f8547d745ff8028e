import { closeSync, readSync, writeSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { PROTOCOL } from '../../../src/core/config.ts';
import { FFI_NAMES, native, openNative } from '../../../src/net/ffi/native.ts';
import { type Drain, HEADROOM, MAX_PACKET, Port, VNET_BYTES } from '../../../src/net/packet/drain.ts';
import { createDrain } from '../../../src/net/packet/io-tier.ts';
import { address } from '../../support/core.ts';
import { packetOf } from '../../support/core-packets.ts';
import { lacksTier } from '../../support/uring.ts';

/** A socket that keeps the bounds of packets stands for the device. */
const AF_UNIX = 1;
const SOCK_SEQPACKET_NONBLOCK = 5 | 0o4000;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SEND_BUFFER = 212_992;

let far = -1;
let near = -1;
let drain: Drain;
/** The milliseconds that drains see; they stand still unless a test moves them. */
let now = 0;

function openPair(): void {
  const { calls } = native();
  const memory = native().arena(8);
  expect(native().syscall(calls.socketpair, AF_UNIX, SOCK_SEQPACKET_NONBLOCK, 0, memory.address)).toBe(0);
  [near, far] = [memory.view.getInt32(0, true), memory.view.getInt32(4, true)];
  memory.view.setInt32(0, SEND_BUFFER, true);
  for (const fd of [near, far]) {
    const set = native().syscall(calls.setsockopt, fd, SOL_SOCKET, SO_SNDBUF, memory.address, 4);
    expect(set).toBe(0);
  }
  native().release(memory);
}

/** The far end sends a packet whose virtio header is all zero. */
function arrive(fill: number, length: number): void {
  writeSync(far, Buffer.concat([Buffer.alloc(VNET_BYTES), Buffer.alloc(length, fill)]));
}

/** What libuv does when a packet is there. */
function wake(port: Port): void {
  drain.wake(port, readSync(near, drain.wakeBuffer));
}

/** What came out of the device: fill and length of each packet; mixed fills count as -1. */
function written(): number[][] {
  const buffer = Buffer.alloc(VNET_BYTES + MAX_PACKET);
  const packets: number[][] = [];
  for (;;) {
    try {
      const size = readSync(far, buffer);
      const packet = buffer.subarray(VNET_BYTES, size);
      packets.push([packet.every((byte) => byte === packet[0]) ? packet[0]! : -1, packet.length]);
    } catch {
      return packets;
    }
  }
}

const CASES = (['sync', 'uring'] as const).flatMap((tier) => FFI_NAMES.map((ffi) => ({ tier, ffi })));

for (const { tier, ffi } of CASES)
  describe.skipIf(lacksTier(tier))(`moving packets, tier ${tier}, by ${ffi}`, () => {
    beforeEach(() => {
      now = 0;
      vi.spyOn(performance, 'now').mockImplementation(() => now);
      openPair();
      drain = createDrain(tier, openNative(ffi));
    });
    afterEach(() => {
      vi.restoreAllMocks();
      drain.close();
      for (const fd of [near, far]) closeSync(fd);
    });

    /** A port behind whose last packet many others stood. */
    function busyPort(
      packet: (bytes: Uint8Array, at: number, length: number) => number,
      batchEnd = () => {},
    ): Port {
      const port = new Port(near, { packet, batchEnd });
      port.isBusy = true;
      return port;
    }

    test('one wake takes all that wait, in order', () => {
      const seen: number[] = [];
      const port = busyPort((bytes, at, length) => {
        seen.push(bytes[at]!);
        return length;
      });
      for (let i = 0; i < 100; i++) arrive(i, 20 + i);
      wake(port);
      expect(seen).toEqual(Array.from({ length: 100 }, (_, i) => i));
      expect(written()).toEqual(seen.map((i) => [i, 20 + i]));
      expect(port.counters).toMatchObject({ reads: 100, writes: 100, batches: 1 });
      expect(port.counters.bytesWritten).toBe(100 * 20 + (99 * 100) / 2);
      expect(port.counters.bytesRead).toBe(port.counters.bytesWritten);
    });

    test('a packet fills its slot without reaching into its neighbours', () => {
      const port = busyPort((bytes, at, length) => {
        const fill = bytes[at]!;
        expect(at % 64).toBe(0);
        expect(bytes.subarray(at, at + length).every((byte) => byte === fill)).toBe(true);
        bytes.fill(fill, at - HEADROOM, at + MAX_PACKET);
        return length + 100;
      });
      for (let i = 1; i <= 70; i++) arrive(i, 1000);
      wake(port);
      expect(written()).toEqual(Array.from({ length: 70 }, (_, i) => [i + 1, 1100]));
    });

    test('a packet answered with 0 is not written, a shrunk one is written shrunk', () => {
      const port = busyPort((bytes, at, length) => (bytes[at]! % 2 === 0 ? 0 : length - 10));
      for (let i = 0; i < 6; i++) arrive(i, 100);
      wake(port);
      expect(written()).toEqual([
        [1, 90],
        [3, 90],
        [5, 90],
      ]);
    });

    test('what a handler sends goes out in its turn, copied, however much it is', () => {
      const own = new Uint8Array(VNET_BYTES + 29_000);
      const port = busyPort((bytes, at, length) => {
        for (let i = 0; i < 5; i++) {
          own.fill(bytes[at]! + 1, VNET_BYTES);
          drain.send(port, own, VNET_BYTES, own.length - VNET_BYTES);
        }
        own.fill(99, VNET_BYTES);
        return length;
      });
      for (const fill of [10, 20]) arrive(fill, 30);
      wake(port);
      expect(written()).toEqual([
        ...Array(5).fill([11, 29_000]),
        [10, 30],
        ...Array(5).fill([21, 29_000]),
        [20, 30],
      ]);
    });

    test('a handler may send hundreds of packets for one', () => {
      const port = busyPort((bytes, at) => {
        for (let i = 0; i < 250; i++) {
          bytes.fill(i, at, at + 8);
          drain.send(port, bytes, at, 8);
        }
        return 0;
      });
      arrive(1, 40);
      wake(port);
      expect(written()).toEqual(Array.from({ length: 250 }, (_, i) => [i, 8]));
      expect(port.counters.writes).toBe(250);
    });

    test('what is sent at the end of a batch, and outside of one, is written', () => {
      const own = new Uint8Array(VNET_BYTES + 5).fill(7);
      const port = busyPort(
        (_bytes, _at, length) => length,
        () => drain.send(port, own, VNET_BYTES, 5),
      );
      arrive(1, 20);
      arrive(2, 20);
      wake(port);
      drain.send(port, own, VNET_BYTES, 4);
      expect(written()).toEqual([
        [1, 20],
        [2, 20],
        [7, 5],
        [7, 4],
      ]);
    });

    test('a wake ends after two milliseconds though there is more', () => {
      const port = busyPort(() => {
        arrive(1, 20);
        now += 0.125;
        return 0;
      });
      arrive(1, 20);
      wake(port);
      const first = port.counters.reads;
      expect(first).toBeGreaterThanOrEqual(16);
      expect(first).toBeLessThan(16 + 32);
      expect(port.isBusy).toBe(true);
      wake(port);
      expect(port.counters.reads).toBeGreaterThan(first + 15);
    });

    test('a device without company is asked for more at every fourth wake only, unless that costs little', () => {
      const port = busyPort((_bytes, _at, length) => length);
      port.isBusy = false;
      port.isDeep = false;
      const handled: number[] = [];
      for (let i = 0; i < 6; i++) arrive(i, 20);
      while (port.counters.reads < 6) {
        wake(port);
        handled.push(port.counters.reads);
      }
      expect(handled).toEqual(ffi === 'koffi' ? [6] : [1, 2, 3, 6]);
      expect(written()).toHaveLength(6);
    });

    test('queues of changing length are taken whole and in order', () => {
      const port = busyPort((bytes, at, length) => {
        drain.send(port, bytes, at, 1);
        return length;
      });
      port.isDeep = false;
      for (const count of [1, 5, 9, 60, 2, 40, 1, 12, 100]) {
        const expected: number[][] = [];
        const { reads } = port.counters;
        for (let i = 0; i < count; i++) {
          arrive(i, 20);
          expected.push([i, 1], [i, 20]);
        }
        while (port.counters.reads < reads + count) wake(port);
        expect(written()).toEqual(expected);
      }
      expect(port.counters.writeErrors()).toEqual({});
    });

    test('without room packets are lost and counted, not waited for', () => {
      const port = busyPort((_bytes, _at, length) => length);
      for (let round = 0; round < 6; round++) {
        for (let i = 0; i < 100; i++) arrive(i, 20);
        while (port.counters.reads < (round + 1) * 100) wake(port);
      }
      const { EAGAIN = 0 } = port.counters.writeErrors();
      expect(EAGAIN).toBeGreaterThan(0);
      expect(written()).toHaveLength(600 - EAGAIN);
    });

    test('what cannot be written is counted by its errno', () => {
      const port = busyPort((_bytes, _at, length) => length);
      for (let i = 0; i < 3; i++) arrive(i, 20);
      closeSync(far);
      wake(port);
      drain.send(port, new Uint8Array(40), 20, 20);
      expect(port.counters.writeErrors()).toEqual({ EPIPE: 4 });
      expect(port.counters).toMatchObject({ reads: 3, writes: 0 });
      far = near;
      openPair();
    });

    test('a closed port is neither read nor written', () => {
      const port = busyPort((_bytes, _at, length) => {
        port.isClosed = true;
        return length;
      });
      for (let i = 0; i < 3; i++) arrive(i, 20);
      wake(port);
      drain.send(port, new Uint8Array(40), 20, 20);
      expect(port.counters.reads).toBe(1);
      expect(written()).toEqual([]);
    });

    test('devices that share a drain write to themselves', () => {
      const other = { near, far };
      openPair();
      const second = busyPort(() => 0);
      [near, far, other.near, other.far] = [other.near, other.far, near, far];
      const first = busyPort((bytes, at, length) => {
        drain.send(second, bytes, at, 5);
        return length;
      });
      arrive(3, 20);
      wake(first);
      expect(written()).toEqual([[3, 20]]);
      expect(second.counters).toMatchObject({ reads: 0, writes: 1, bytesWritten: 5 });
      for (const fd of [near, far]) closeSync(fd);
      ({ near, far } = other);
      expect(written()).toEqual([[3, 5]]);
    });
  });

describe.skipIf(lacksTier('uring'))('datagrams of a queue', () => {
  const DATA_VALID = 2;
  const UDP_L4 = 5;

  beforeEach(() => {
    openPair();
    drain = createDrain('uring', native());
  });
  afterEach(() => {
    drain.close();
    for (const fd of [near, far]) closeSync(fd);
  });

  /** A datagram of a flow arrives, its checksum found right; its payload is one byte again and again. */
  function datagramArrives(flow: number, fill: number, size = 20): void {
    const ends = { src: address('10.0.0.1'), dst: address('10.0.0.2') };
    const payload = String.fromCharCode(fill).repeat(size);
    const segment = { ...ends, protocol: PROTOCOL.UDP, sport: flow, dport: 53, payload };
    const header = Buffer.alloc(VNET_BYTES);
    header[0] = DATA_VALID;
    writeSync(far, Buffer.concat([header, packetOf(segment, { fragment: 0x4000 })]));
  }

  /** Payloads of what was written, each with the source port and whether it is a super-packet. */
  function writtenDatagrams(): string[] {
    const found: string[] = [];
    const buffer = Buffer.alloc(VNET_BYTES + MAX_PACKET);
    for (;;) {
      try {
        const size = readSync(far, buffer);
        const kind = buffer[1] === UDP_L4 ? 'together' : 'alone';
        const flow = buffer.readUInt16BE(VNET_BYTES + 20);
        found.push(`${flow} ${kind} ${buffer.toString('latin1', VNET_BYTES + 28, size)}`);
      } catch {
        return found;
      }
    }
  }

  function deepPort(takesBundles: boolean): Port {
    const port = new Port(near, { packet: (_bytes, _at, length) => length, batchEnd: () => {} });
    port.isDeep = true;
    port.takesBundles = takesBundles;
    return port;
  }

  test('leave as one for each flow, and count as many', () => {
    const port = deepPort(true);
    for (const fill of [65, 66, 67]) for (const flow of [1, 2]) datagramArrives(flow, fill, 2);
    wake(port);
    expect(writtenDatagrams()).toEqual(['1 alone AA', '2 together AABBCC', '1 together BBCC']);
    expect(port.counters).toMatchObject({ reads: 6, writes: 6, bytesWritten: 6 * 30 });
  });

  test('are not overtaken by other packets, nor do they overtake them', () => {
    const port = deepPort(true);
    for (const fill of [65, 66, 67]) datagramArrives(1, fill, 1);
    datagramArrives(1, 68, 0);
    for (const fill of [69, 70]) datagramArrives(1, fill, 1);
    wake(port);
    expect(writtenDatagrams()).toEqual(['1 alone A', '1 together BC', '1 alone ', '1 together EF']);
  });

  test('leave alone where the device takes no super-packets of them', () => {
    const port = deepPort(false);
    for (let fill = 65; fill < 71; fill++) datagramArrives(1, fill, 1);
    wake(port);
    expect(writtenDatagrams()).toEqual(['A', 'B', 'C', 'D', 'E', 'F'].map((each) => `1 alone ${each}`));
  });

  test('are lost and counted one by one where nobody takes them', () => {
    const port = deepPort(true);
    for (let fill = 65; fill < 71; fill++) datagramArrives(1, fill, 1);
    closeSync(far);
    wake(port);
    expect(port.counters.writeErrors()).toEqual({ EPIPE: 6 });
    far = near;
    openPair();
  });
});

test('a kernel that refuses a bundle is given no other', () => {
  const port = new Port(-1, { packet: () => 0, batchEnd: () => {} });
  port.takesBundles = true;
  port.learnBundles(-11);
  expect(port.takesBundles).toBe(true);
  port.learnBundles(-22);
  expect(port.takesBundles).toBe(false);
});
