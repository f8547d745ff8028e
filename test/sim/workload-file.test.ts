import { expect, test } from 'vitest';
import { parseWorkload } from '../../src/sim/workload-file.ts';

const BASE = `\
connections: 10
serviceTime: { kind: exponential, mean: 10ms }
`;
const FILES: Readonly<Record<string, string | Uint8Array>> = {
  'a.csv': 'time_s,client\n0,1\nx,2\n',
  'b.pcap': Uint8Array.from([0xa1, 0xb2, 0xc3, 0xd4, 0]),
};
const read = (text: string): string[] => {
  const parsed = parseWorkload(text, (name) => FILES[name] ?? new Error('no file'));
  if ('workload' in parsed) return [];
  return parsed.map(({ file, line, column, message }) => `${file}:${line}:${column}: ${message}`);
};

test('a workload is read with times in ms and the rest as it is by default', () => {
  const text = `${BASE}arrivals: { kind: closed, clients: 3, think: { kind: deterministic, value: 1.5s } }
servers: { default: { discipline: ps }, "[2001:db8::2]:80": { concurrency: 4 } }
service: udp [2001:db8::1]:53
churn: [{ do: flap, at: 1min, server: 10.0.0.2:80, down: 2s, up: 3s }]
`;
  const parsed = parseWorkload(text, () => new Error('none'));
  if (!('workload' in parsed)) throw new Error(JSON.stringify(parsed));
  expect(parsed.service).toMatchObject({ protocol: 17, port: 53, fwmark: 0 });
  expect(parsed.workload).toMatchObject({
    connections: 10,
    durationMs: Number.POSITIVE_INFINITY,
    arrivals: { kind: 'closed', think: { value: 1500 } },
    servers: {
      default: { discipline: 'ps', concurrency: Number.POSITIVE_INFINITY },
      each: [{ model: { concurrency: 4 } }],
    },
    churn: [{ kind: 'flap', atMs: 60_000, downMs: 2000, upMs: 3000, times: 1 }],
  });
});

test.each([
  {
    text: 'a: [1\n',
    says: [':2:1: Flow sequence in block collection must be sufficiently indented and end with a ]'],
  },
  { text: '', says: [":1:1: expected 'arrivals'", ":1:1: expected 'serviceTime'"] },
  { text: `${BASE}arrivals: 5\n`, says: [':3:11: expected a mapping; found 5'] },
  {
    text: `${BASE}arrivals: { kind: poison, rate: 1 }\n`,
    says: [':3:19: expected poisson, deterministic, bursts, diurnal, trace, closed; found "poison"'],
  },
  {
    text: `${BASE}arrivals: { kind: poisson, rate: 0, foo: 1 }\n`,
    says: [':3:34: expected connections per second, above 0; found 0', ":3:37: unknown key 'foo'"],
  },
  {
    text: `${BASE}arrivals: { kind: poisson, rate: 1 }\nwarmup: 5\n`,
    says: [':4:9: expected a time with its unit, such as 10ms, 1.5s or 2min; found 5'],
  },
  { text: `${BASE}arrivals: { kind: trace, file: b.csv }\n`, says: [':3:32: no file'] },
  {
    text: `${BASE}arrivals: { kind: trace, file: a.csv }\n`,
    says: ["a.csv:3:1: expected a number for time_s; found 'x'"],
  },
  {
    text: `${BASE}arrivals: { kind: trace, file: a.csv, to: 10.0.0.1:80 }\n`,
    says: [":3:39: 'to' is for captures; a.csv is none"],
  },
  {
    text: `${BASE}arrivals: { kind: trace, file: b.pcap }\n`,
    says: [":3:11: expected 'to: ADDRESS:PORT', the service that the capture was taken of"],
  },
  {
    text: `${BASE}arrivals: { kind: trace, file: b.pcap, to: 10.0.0.1:80 }\n`,
    says: ['b.pcap:1:1: at byte 0: the header has 24 bytes; 5 are left'],
  },
  {
    text: `${BASE}arrivals: { kind: poisson, rate: 1 }\nservers: { web: {} }\nservice: http\n`,
    says: [
      ':5:10: expected a service such as tcp 10.0.0.1:80, udp [2001:db8::1]:53 or fwmark 5',
      ":4:12: expected 'default' or a server as ADDRESS:PORT",
    ],
  },
])('mistakes are told with line and column: $says', ({ text, says }) => {
  expect(read(text)).toEqual(says);
});
