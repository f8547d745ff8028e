import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ipv4 } from '../../src/core/address.ts';
import type { DirectorPort, Query, Status } from '../../src/core/commands.ts';
import type { StatsSnapshot } from '../../src/core/config.ts';
import { IpvsError } from '../../src/core/errors.ts';
import { connectDirector, type Exchange } from '../../src/netlink/client.ts';
import { ReplyReader } from '../../src/netlink/replies.ts';
import { NetlinkSession } from '../../src/netlink/server.ts';
import { readMessages } from '../../src/netlink/wire.ts';
import { serviceConfig } from '../support/core.ts';
import * as arbitrary from './arbitraries.ts';
import { answers, bytes, exchangeWith, recordedDirector } from './support.ts';

describe('a director behind a session and a client', () => {
  test('is told every command as it was given', async () => {
    const { director, asked } = fixed(undefined);
    const client = await connectDirector(over(director));
    await fc.assert(
      fc.asyncProperty(arbitrary.command, async (command) => {
        asked.length = 0;
        await client.apply(command);
        expect(asked).toEqual([command]);
      }),
    );
  });

  test('shows services as they are', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(arbitrary.serviceEntry), async (entries) => {
        const client = await connectDirector(over(fixed(entries).director));
        expect((await client.ask({ query: 'services' })).map(withCounters)).toEqual(entries);
      }),
    );
  });

  test('shows one service as it is', async () => {
    await fc.assert(
      fc.asyncProperty(arbitrary.serviceEntry, async (entry) => {
        const { director, asked } = fixed(entry);
        const client = await connectDirector(over(director));
        const { family, protocol, addr, port, fwmark } = entry;
        const query = { query: 'service' as const, service: { family, protocol, addr, port, fwmark } };
        expect(withCounters(await client.ask(query))).toEqual(entry);
        expect(asked).toEqual([query]);
      }),
    );
  });

  test('shows servers as they are', async () => {
    await fc.assert(
      fc.asyncProperty(arbitrary.serviceKey, fc.array(arbitrary.destEntry), async (service, entries) => {
        const { director, asked } = fixed(entries);
        const client = await connectDirector(over(director));
        expect((await client.ask({ query: 'dests', service })).map(withCounters)).toEqual(entries);
        expect(asked).toEqual([{ query: 'dests', service }]);
      }),
    );
  });

  test('shows daemons as they are, with the default group where none is given', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(arbitrary.daemonConfig), async (daemons) => {
        const client = await connectDirector(over(fixed(daemons).director));
        const shown = daemons.map((daemon) => ({ ...daemon, group: daemon.group ?? ipv4(0xe0000051) }));
        expect(await client.ask({ query: 'daemons' })).toEqual(shown);
      }),
    );
  });

  const status: Status = {
    pid: 1,
    version: '1.2.3',
    plane: 'auto',
    io: 'node',
    capture: '',
    footprint: [],
    problems: [],
    uptimeSec: 5,
    services: [],
    connections: 3,
    connectionsMax: 9,
    counters: { 'dropped: \u{1f600}': 4 },
  };
  test.each<{ query: Query; answer: unknown }>([
    { query: { query: 'info' }, answer: { version: 0x010201, tableSize: 4096 } },
    { query: { query: 'timeouts' }, answer: { tcpSec: 900, tcpFinSec: 120, udpSec: 300 } },
    {
      query: { query: 'sysctl', name: 'sync_threshold' },
      answer: [{ name: 'sync_threshold', value: '3\t50' }],
    },
    {
      query: { query: 'sysctl', name: undefined },
      answer: [
        { name: 'a', value: '0' },
        { name: 'b', value: '' },
      ],
    },
    { query: { query: 'sysctl', name: undefined }, answer: [] },
    { query: { query: 'proc', name: 'ip_vs', from: 0 }, answer: { text: '', next: -1 } },
    { query: { query: 'proc', name: 'ip_vs_conn', from: 2 ** 40 }, answer: { text: 'é\n', next: -1 } },
    {
      query: { query: 'proc', name: 'ip_vs_conn', from: 7 },
      answer: { text: 'x€'.repeat(100_000), next: 2 ** 41 },
    },
    { query: { query: 'status' }, answer: status },
  ])('answers $query', async ({ query, answer }) => {
    const { director, asked } = fixed(answer);
    const client = await connectDirector(over(director));
    expect(await client.ask(query)).toEqual(answer);
    expect(asked).toEqual([query]);
  });

  test('tells a long text in replies of many slices', async () => {
    const slices = ['a\n', 'b\n'.repeat(10_000), 'c\n'.repeat(10_000), 'd\n'];
    const { director, asked } = fixedBy((query) => {
      const from = query.query === 'proc' ? query.from : -1;
      return { text: slices[from], next: from + 1 < slices.length ? from + 1 : -1 };
    });
    const client = await connectDirector(over(director));
    const ask = (from: number) => client.ask({ query: 'proc', name: 'ip_vs_conn', from });
    expect(await ask(0)).toEqual({ text: slices.slice(0, 3).join(''), next: 3 });
    expect(await ask(3)).toEqual({ text: slices[3], next: -1 });
    expect(asked).toHaveLength(4);
  });

  test('refuses with the errno and the reason it has', async () => {
    const client = await connectDirector(over(recordedDirector()));
    const service = serviceConfig();
    await client.apply({ op: 'add-service', service, flagsMask: 0xffffffff });
    const again = client.apply({ op: 'add-service', service, flagsMask: 0xffffffff });
    await expect(again).rejects.toMatchObject({ name: 'IpvsError', errno: 'EEXIST', message: /exists/ });
    const missing = client.ask({ query: 'service', service: serviceConfig({ port: 81 }) });
    await expect(missing).rejects.toMatchObject({ errno: 'ESRCH' });
    await expect(client.ask({ query: 'sysctl', name: 'nosuch' })).rejects.toMatchObject({ errno: 'ENOENT' });
  });

  test('refuses a name that no message can carry', async () => {
    const client = await connectDirector(over(recordedDirector()));
    const service = serviceConfig({ scheduler: 'a'.repeat(70_000) });
    const add = client.apply({ op: 'add-service', service, flagsMask: 0xffffffff });
    await expect(add).rejects.toMatchObject({ errno: 'EMSGSIZE' });
  });
});

describe('a client', () => {
  test('takes two exchanges to connect and one for a command, each ended by its last datagram', async () => {
    let count = 0;
    const exchange = over(recordedDirector());
    const client = await connectDirector(async (datagram, take) => {
      count++;
      const ended: boolean[] = [];
      await exchange(datagram, (reply) => {
        ended.push(take(reply));
        return ended.at(-1)!;
      });
      expect(ended).toEqual(ended.map((_, i) => i === ended.length - 1));
    });
    expect(count).toBe(2);
    await client.apply({ op: 'add-service', service: serviceConfig(), flagsMask: 0xffffffff });
    await client.ask({ query: 'services' });
    await client.ask({ query: 'info' });
    expect(count).toBe(5);
  });

  test('speaks with a kernel, which has no family of ours', async () => {
    const exchange = over(recordedDirector());
    const client = await connectDirector((datagram, take) =>
      exchange(datagram, (reply) => {
        const replies = readMessages(reply).map(({ raw }) => raw);
        return replies.filter((raw) => !Buffer.from(raw).includes('uipvs')).some(take);
      }),
    );
    expect(await client.ask({ query: 'services' })).toEqual([]);
    await expect(client.ask({ query: 'status' })).rejects.toMatchObject({ errno: 'EOPNOTSUPP' });
  });

  test('says ENOENT where nobody has IPVS', async () => {
    const done = bytes('14000000030002000100000000000000' + '00000000');
    const nobody: Exchange = async (_, take) => void take(done);
    await expect(connectDirector(nobody)).rejects.toMatchObject({ errno: 'ENOENT' });
  });

  test('reads the reason out of the extended acknowledgement of a kernel', () => {
    const reply = bytes(
      '88000000020000020000000000000000deffffff1c00000010000500000000000000000003010000050001000100000027000100' +
        '417474726962757465206661696c656420706f6c6963792076616c69646174696f6e00000800020014000000280004800c000400' +
        '000000000000000004000b000c000500ffff0000000000000800010003000000',
    );
    const replies = new ReplyReader(16, () => undefined);
    expect(replies.take(reply)).toBe(true);
    expect(() => replies.result()).toThrow(new IpvsError('ERANGE', 'Attribute failed policy validation'));
  });

  test('whatever the other side answers, it rejects with nothing but IpvsError', async () => {
    const session = new NetlinkSession(recordedDirector());
    const change = fc.tuple(fc.nat(), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 6 }), fc.nat(3), async (changes, skip) => {
        let count = 0;
        const spoiled: Exchange = async (datagram, take) => {
          const replies = await answers(session, datagram);
          const all = replies.flatMap((reply) => [...reply]);
          if (count++ >= skip) for (const [at, value] of changes) all[at % all.length] = value;
          take(Uint8Array.from(all));
        };
        try {
          const client = await connectDirector(spoiled);
          await client.ask({ query: 'info' });
          await client.ask({ query: 'timeouts' });
          await client.ask({ query: 'dests', service: serviceConfig() });
        } catch (error) {
          expect(error).toBeInstanceOf(IpvsError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

const over = (director: DirectorPort): Exchange => exchangeWith(new NetlinkSession(director));

/** Entries whose counters are spelled out: the client's are read when they are asked for. */
const withCounters = <T extends { readonly stats: StatsSnapshot }>(entry: T): T => {
  const { conns, inPackets, outPackets, inBytes, outBytes } = entry.stats;
  const { cps, inPps, outPps, inBps, outBps } = entry.stats;
  const counters = { conns, inPackets, outPackets, inBytes, outBytes };
  return { ...entry, stats: { ...counters, cps, inPps, outPps, inBps, outBps } };
};

/** A director with one answer to everything, and what it was asked. */
const fixed = (answer: unknown): { director: DirectorPort; asked: unknown[] } => fixedBy(() => answer);

/** A director that answers by the question, and what it was asked. */
function fixedBy(answer: (query: Query) => unknown): { director: DirectorPort; asked: unknown[] } {
  const asked: unknown[] = [];
  const director: DirectorPort = {
    apply: async (command) => void asked.push(command),
    ask: async (query) => {
      asked.push(query);
      return answer(query) as never;
    },
  };
  return { director, asked };
}
