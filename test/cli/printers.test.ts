import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NUMERIC_LABELS } from '../../src/cli/labels.ts';
import { mergeSort, sortListing } from '../../src/cli/listing-order.ts';
import { parseConnectionLine } from '../../src/cli/print-connections.ts';
import { printRules } from '../../src/cli/print-rules.ts';
import { printDaemons } from '../../src/cli/print-settings.ts';
import { formatCounter, printTable } from '../../src/cli/print-table.ts';
import type { TableForm } from '../../src/cli/request.ts';
import { METHOD, SERVICE_FLAG, TUNNEL_TYPE } from '../../src/core/config.ts';
import { destEntry, NO_STATS, serviceEntry } from '../support/entries.ts';
import { FakePort } from '../support/fake-port.ts';
import { runWith } from './in-process.ts';

const recorded = (name: string) =>
  JSON.parse(readFileSync(new URL(`../golden/${name}`, import.meta.url), 'utf8'));

describe('counters', () => {
  const rows: readonly { value: number; exact: boolean; line: string }[] = recorded('cli-counters.json').rows;

  test.each(rows)('$value is cut as the real program cuts it (in full: $exact)', ({ value, exact, line }) => {
    const stats = { ...NO_STATS, conns: value, inPackets: 1, outPackets: value, inBytes: 2, outBytes: value };
    const table = printTable(
      [{ service: serviceEntry({ stats }), dests: [] }],
      { form: 'stats', exact },
      NUMERIC_LABELS,
    );
    expect(table.split('\n')[2]).toBe(line);
  });

  test('never fewer than nine columns are taken', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 31 - 1), fc.boolean(), (value, exact) => {
        expect(formatCounter(value, exact).length).toBeGreaterThanOrEqual(9);
      }),
    );
  });
});

describe('connections', () => {
  const { file, listings }: { file: string; listings: readonly { args: string; stdout: string }[] } =
    recorded('cli-connections.json');

  test.each(listings)('$args lists them as the real program does', async ({ args, stdout }) => {
    const slices = [file.slice(0, file.indexOf('\n') + 1), ...file.match(/.*\n/g)!.slice(1)];
    const port = new FakePort({
      proc: ({ from }) => ({ text: slices[from]!, next: from + 1 < slices.length ? from + 1 : -1 }),
    });
    expect(await runWith(args.split(' '), async () => port)).toEqual({ status: 0, stdout, stderr: '' });
  });

  test.each([
    { line: '' },
    { line: 'TCP 0A010001 4E21' },
    { line: 'TCP XYZ 4E21 0A000001 0050 0A020001 1F90 ESTABLISHED 899' },
    { line: 'TCP 0A010001 4E21 0A000001 0050 0A020001 1F90 ESTABLISHED soon' },
  ])('"$line" is no entry', ({ line }) => {
    expect(parseConnectionLine(line)).toBeUndefined();
  });

  test('no text makes the reader of entries throw', () => {
    fc.assert(fc.property(fc.string(), (line) => void parseConnectionLine(line)));
  });

  test.each([
    {
      when: 'the director has no such text',
      text: undefined,
      says: 'cannot open file /proc/net/ip_vs_conn\n',
    },
    { when: 'the text is empty', text: '', says: 'unexpected input from /proc/net/ip_vs_conn\n' },
  ])('the listing fails when $when', async ({ text, says }) => {
    const port = new FakePort(text === undefined ? {} : { proc: () => ({ text, next: -1 }) });
    expect(await runWith(['-L', '-c'], async () => port)).toEqual({ status: 1, stdout: '', stderr: says });
  });
});

describe('values that only other clients can set', () => {
  const service = serviceEntry({ protocol: 47 });
  const odd = [
    { what: 'an unknown method', dest: { method: 4 }, plain: '(null)  1', tunnel: '(null)  n/a           1' },
    {
      what: 'a local server',
      dest: { method: METHOD.LOCAL },
      plain: 'Local   1',
      tunnel: 'Local   n/a           1',
    },
    {
      what: 'an unknown tunnel type',
      dest: { method: METHOD.TUNNEL, tunnelType: 3 },
      plain: 'Tunnel  1',
      tunnel: 'Tunnel  n/a           1',
    },
    {
      what: 'gre with remote checksum',
      dest: { method: METHOD.TUNNEL, tunnelType: TUNNEL_TYPE.GRE, tunnelFlags: 2 },
      plain: 'Tunnel  1',
      tunnel: 'Tunnel  gre:r+c       1',
    },
  ];

  test.each(odd)('$what is listed', ({ dest, plain, tunnel }) => {
    const listing = [{ service, dests: [destEntry(1, dest)] }];
    const lastLine = (form: TableForm) =>
      printTable(listing, { form, exact: false }, NUMERIC_LABELS).split('\n').at(-2);
    expect(lastLine('plain')).toBe(`  -> 10.2.0.1:8080                ${plain}      0          0         `);
    expect(lastLine('tun-info')).toBe(
      `  -> 10.2.0.1:8080                ${tunnel}      0          0         `,
    );
  });

  test('a service of an unknown protocol is listed with a question mark and never saved', () => {
    const listing = [{ service, dests: [destEntry(1)] }];
    expect(printTable(listing, { form: 'plain', exact: false }, NUMERIC_LABELS)).toContain(
      '\n?    10.0.0.1:80 rr\n',
    );
    expect(printRules(listing, NUMERIC_LABELS)).toBe('');
  });

  test('servers that no option describes are left out of saved rules', () => {
    const dests = [
      destEntry(1, { method: 4 }),
      destEntry(2, { method: METHOD.TUNNEL, tunnelType: 3 }),
      destEntry(3),
    ];
    const rules = printRules([{ service: serviceEntry(), dests }], NUMERIC_LABELS);
    expect(rules).toBe('-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -r 10.2.0.3:8080 -m -w 1\n');
  });

  test.each([
    { scheduler: '', flags: 0, says: 'none' },
    { scheduler: 'mh', flags: SERVICE_FLAG.SCHED_3, says: 'mh ()' },
    { scheduler: 'rr', flags: SERVICE_FLAG.PERSISTENT, says: 'rr persistent 0 mask 0.0.0.0' },
  ])('scheduler "$scheduler" with flags $flags is shown as $says', ({ scheduler, flags, says }) => {
    const table = printTable(
      [{ service: serviceEntry({ scheduler, flags, netmask: 0 }), dests: [] }],
      { form: 'plain', exact: false },
      NUMERIC_LABELS,
    );
    expect(table.split('\n')[2]).toBe(`TCP  10.0.0.1:80 ${says}`);
  });

  test('a daemon without group, port and ttl shows the defaults', () => {
    const daemon = {
      state: 1,
      interface: 'eth0',
      syncId: 3,
      maxLen: 1472,
      group: undefined,
      port: 0,
      ttl: 0,
    };
    expect(printDaemons([daemon])).toBe(
      'master sync daemon (mcast=eth0, syncid=3, maxlen=1472, group=224.0.0.81, port=8848, ttl=1)\n',
    );
  });
});

describe('order', () => {
  test('is that of any stable sort where the comparison is a total order', () => {
    const byKey = (a: { key: number }, b: { key: number }): number => a.key - b.key;
    fc.assert(
      fc.property(fc.array(fc.record({ key: fc.nat(5), id: fc.nat() })), (items) => {
        expect(mergeSort(items, byKey)).toEqual([...items].sort(byKey));
      }),
    );
  });

  test('servers far apart are ordered by the sign of a 32-bit difference', () => {
    const dests = [
      destEntry(1, { addr: serviceEntry({ vip: '10.0.0.1' }).addr }),
      destEntry(2, { addr: serviceEntry({ vip: '192.168.0.1' }).addr }),
    ];
    const [listed] = sortListing([{ service: serviceEntry(), dests }]);
    expect(listed!.dests.map(({ addr }) => addr.words[0] >>> 24)).toEqual([192, 10]);
  });

  test('sorting loses nothing', () => {
    const word = fc.integer();
    fc.assert(
      fc.property(fc.array(word), (words) => {
        const dests = words.map((first) => destEntry(1, { addr: { family: 2, words: [first, 0, 0, 0] } }));
        const [listed] = sortListing([{ service: serviceEntry(), dests }]);
        expect(listed!.dests.map(({ addr }) => addr.words[0]).sort()).toEqual([...words].sort());
      }),
    );
  });
});
