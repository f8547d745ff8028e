import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Explanation } from '../../src/core/explanation.ts';
import { TestDirector } from '../support/director.ts';

const VIP = '127.63.0.1';
const SERVERS = ['127.63.0.11', '127.63.0.12', '127.63.0.13'] as const;
const CLIENT = '127.63.0.99';
const PORT = 9080;

const director = new TestDirector();
const servers: Server[] = [];
/** Of the service. */
let port = 9200;

beforeAll(async () => {
  await director.start();
  for (const host of SERVERS) {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.write(host);
    }).listen(PORT, host);
    await once(server, 'listening');
    servers.push(server);
  }
});
afterAll(async () => {
  for (const server of servers) server.close();
  await director.cleanUp();
});

/** Makes a service on a port of its own, which no entry of an earlier test is of. */
async function serve(scheduler: string): Promise<void> {
  await director.ok('-C');
  port++;
  await director.ok(`-A -t ${VIP}:${port} -s ${scheduler}`);
  for (const [i, host] of SERVERS.entries()) {
    await director.ok(`-a -t ${VIP}:${port} -r ${host}:${PORT} -m -w ${i + 1}`);
  }
}

const question = (from: number): string => `explain -t ${VIP}:${port} --from ${CLIENT}:${from}`;

async function explained(words: string): Promise<Explanation[]> {
  const { stdout, stderr } = await director.uipvs(`${words} --json`);
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout);
}

/** Connects from a port and stays. @returns what the server says its name is, and how to end it */
async function reach(from: number): Promise<{ readonly name: string; readonly end: () => void }> {
  const socket = connect({ host: VIP, port, localAddress: CLIENT, localPort: from });
  const [name] = await once(socket, 'data');
  return { name: String(name), end: () => socket.destroy() };
}

/** What ipvsadm lists of servers and entries, but for the time that these have left. */
async function listing(): Promise<string> {
  const entries = await director.ok('-Lnc');
  return (await director.ok('-Ln')) + entries.replaceAll(/ \d\d:\d\d /g, ' ');
}

test.each([
  { scheduler: 'rr', from: 41_000 },
  { scheduler: 'wrr', from: 42_000 },
  { scheduler: 'wlc', from: 43_000 },
  { scheduler: 'sed', from: 44_000 },
  { scheduler: 'sh -b sh-port', from: 45_000 },
  { scheduler: 'mh -b mh-port', from: 46_000 },
  { scheduler: 'lblcr', from: 47_000 },
])(
  '$scheduler: real connections get the explained servers, and explaining changes nothing',
  async ({ scheduler, from }) => {
    await serve(scheduler);
    const open = [await reach(from), await reach(from + 1)];
    try {
      const before = await listing();
      const words = `${question(from + 2)} --times 5`;
      const found = await explained(words);
      expect(await explained(words)).toEqual(found);
      expect(await listing()).toBe(before);
      for (let i = 0; i < found.length; i++) open.push(await reach(from + 2 + i));
      expect(found.map(({ server }) => server)).toEqual(open.slice(2).map(({ name }) => `${name}:${PORT}`));
    } finally {
      for (const { end } of open) end();
    }
  },
);

test('a persistent client keeps the server of its template, and without it gets another', async () => {
  await serve('rr -p 300');
  const first = await reach(48_000);
  first.end();
  const [kept] = await explained(question(48_001));
  expect(kept).toMatchObject({ server: `${first.name}:${PORT}`, reason: 'template', persistentSec: 300 });
  const [other] = await explained(`${question(48_001)} --without ${first.name}:${PORT}`);
  expect(other).toMatchObject({ reason: 'scheduler' });
  expect(other!.server).not.toBe(kept!.server);
  const again = await reach(48_002);
  again.end();
  expect(again.name).toBe(first.name);
});

test('the text has the state of the scheduler, loads and exclusions', async () => {
  await serve('rr');
  await director.ok(`-e -t ${VIP}:${port} -r ${SERVERS[2]}:${PORT} -m -w 0`);
  const connection = await reach(49_000);
  const { stdout, status } = await director.uipvs(question(49_001));
  connection.end();
  expect(status).toBe(0);
  expect(stdout).toBe(`\
${CLIENT}:49001 -> ${SERVERS[0]}:${PORT}: chosen by rr
  cursor: server 2 of the list
    ${SERVERS[2]}:${PORT}  weight 0, active 0, inactive 0, overhead 0  excluded: weight 0
    ${SERVERS[1]}:${PORT}  weight 2, active 1, inactive 0, overhead 256
  * ${SERVERS[0]}:${PORT}  weight 1, active 0, inactive 0, overhead 0
`);
});

test('services of UDP and of a mark are explained, by a director that serves nothing', async () => {
  const tables = new TestDirector();
  try {
    await tables.start(['--plane', 'none']);
    await tables.ok(`-A -u ${VIP}:53 -s rr`);
    await tables.ok(`-a -u ${VIP}:53 -r ${SERVERS[0]}:53 -m`);
    await tables.ok('-A -f 5 -s rr');
    await tables.ok(`-a -f 5 -r ${SERVERS[1]}:0 -g`);
    const udp = await tables.uipvs(`explain -u ${VIP}:53 --from ${CLIENT}:1 --json`);
    expect(JSON.parse(udp.stdout)).toMatchObject([{ server: `${SERVERS[0]}:53` }]);
    const marked = await tables.uipvs(`explain -f 5 --from ${CLIENT}:1 --json`);
    expect(JSON.parse(marked.stdout)).toMatchObject([{ server: `${SERVERS[1]}:0` }]);
  } finally {
    await tables.cleanUp();
  }
});

test('a service and a server that there are not are told', async () => {
  await serve('rr');
  const said = async (words: string): Promise<string> => (await director.uipvs(words)).stderr;
  expect(await said(`explain -t ${VIP}:1 --from ${CLIENT}:1`)).toBe(
    'uipvs: explain: there is no such service\n',
  );
  expect(await said(`${question(1)} --without 127.63.0.77:1`)).toBe(
    'uipvs: explain: the service has no server 127.63.0.77:1\n',
  );
});
