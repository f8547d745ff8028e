import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AF_INET, ipv4 } from '../../src/core/address.ts';
import { PROTOCOL } from '../../src/core/config.ts';
import { parseCapture } from '../../src/sim/capture/capture.ts';
import { run } from '../support/processes.ts';
import { findProgram, isMissing, isRoot } from '../support/programs.ts';

const UIPVS = fileURLToPath(new URL('../../bin/uipvs', import.meta.url));
const CONNECTIONS = 5;
const LASTS_MS = 100;

/** What dumpcap is told, so that it writes frames of each link type. */
const WAYS = [
  { name: 'ethernet', args: ['-i', 'lo'] },
  { name: 'sll', args: ['-i', 'any', '-y', 'LINUX_SLL'] },
  { name: 'sll2', args: ['-i', 'any', '-y', 'LINUX_SLL2'] },
] as const;

describe.skipIf(isMissing('dumpcap', 'editcap') || !isRoot)('captures that dumpcap wrote', () => {
  let dir: string;
  let server: Server;
  let port: number;
  const ports: number[] = [];
  const at = (name: string): string => join(dir, name);

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'uipvs-capture-'));
    server = createServer((socket) => socket.resume()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
    const captures = await Promise.all(
      WAYS.map(({ name, args }) => startCapture(at(`${name}.pcapng`), port, args)),
    );
    for (let i = 0; i < CONNECTIONS; i++) ports.push(await talk(port));
    await new Promise((resolve) => setTimeout(resolve, 500));
    for (const capture of captures) capture.kill('SIGINT');
    await Promise.all(captures.map((capture) => capture.exitCode ?? once(capture, 'exit')));
    for (const form of ['pcap', 'nsecpcap']) {
      await run(['editcap', '-F', form, at('ethernet.pcapng'), at(`${form}.pcap`)]);
    }
  });
  afterAll(() => {
    server.close();
    rmSync(dir, { recursive: true });
  });

  test.each(['ethernet.pcapng', 'sll.pcapng', 'sll2.pcapng', 'pcap.pcap', 'nsecpcap.pcap'])(
    '%s has the connections that there were, with their ports and durations',
    (name) => {
      const addr = ipv4(0x7f000001);
      const to = { protocol: PROTOCOL.TCP, family: AF_INET, addr, port, fwmark: 0 } as const;
      const found = parseCapture(readFileSync(at(name)), to, true);
      if (typeof found === 'string') throw new Error(found);
      expect(found.addresses).toEqual([addr]);
      expect(found.records.map((record) => record.port)).toEqual(ports);
      for (const { workMs } of found.records) expect(workMs).toBeGreaterThan(LASTS_MS * 0.9);
    },
  );

  test('uipvs sim replays one against rules of another address', async () => {
    writeFileSync(at('rules'), '-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -r 10.0.0.2:80 -m\n');
    const arrivals = `{ kind: trace, file: sll2.pcapng, to: 127.0.0.1:${port}, work: duration }`;
    writeFileSync(at('w.yaml'), `arrivals: ${arrivals}\nserviceTime: { kind: deterministic, value: 1ms }\n`);
    const { status, stdout, stderr } = await run([
      UIPVS,
      'sim',
      at('rules'),
      at('w.yaml'),
      '--repeat',
      '1',
      '--json',
    ]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const [{ runs }] = JSON.parse(stdout).schedulers;
    expect(runs[0].outcomes).toMatchObject({ arrived: CONNECTIONS, completed: CONNECTIONS });
    expect(runs[0].response.mean).toBeGreaterThan(LASTS_MS * 0.9);
  });
});

/** Resolves when packets are being recorded. */
async function startCapture(file: string, port: number, args: readonly string[]): Promise<ChildProcess> {
  const child = spawn(findProgram('dumpcap')!, [...args, '-f', `tcp port ${port}`, '-w', file], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  await new Promise<void>((resolve, reject) => {
    child.stderr.on('data', (text) => {
      said += String(text);
      if (said.includes('File:')) resolve();
    });
    child.once('exit', () => reject(new Error(said)));
  });
  return child;
}

/** A connection that lasts a while. @returns its port */
async function talk(port: number): Promise<number> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const { localPort } = socket;
  await new Promise((resolve) => setTimeout(resolve, LASTS_MS));
  socket.end('bye');
  await once(socket, 'close');
  return localPort!;
}
