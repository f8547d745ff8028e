import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { TestDirector } from '../support/director.ts';
import { Processes, run, until } from '../support/processes.ts';
import { findProgram, isMissing } from '../support/programs.ts';
import { wrappedCommand } from '../support/wrapped.ts';

const EXPORTER = '127.65.0.9';
const EXPORTER_PORT = 9199;

const directors: TestDirector[] = [];
const programs = new Processes();

afterEach(async () => {
  await programs.end();
  for (const director of directors.splice(0)) await director.cleanUp();
});

describe.skipIf(isMissing('ipvsadm'))('a command with a director of its own', () => {
  test('finds empty tables, and leaves nothing behind', async () => {
    const scratch = mkdtempSync(join(tmpdir(), 'uipvs-recipes-'));
    const script = 'ipvsadm -Sn; ipvsadm -A -t 10.0.0.1:80; ipvsadm -Sn; exit 5';
    const command = wrappedCommand(['sh', '-c', script], ['--private', '--plane', 'none']);
    const env = { PATH: process.env['PATH'], TMPDIR: scratch, HOME: scratch };
    for (let i = 0; i < 2; i++) {
      const { status, stdout, stderr } = await run(command, { env });
      expect([status, stdout, stderr]).toEqual([5, '-A -t 10.0.0.1:80 -s wlc\n', '']);
    }
    expect(readdirSync(scratch)).toEqual([]);
    rmSync(scratch, { recursive: true });
  });

  test('ends with that director after it has changed settings and listed them', async () => {
    const scratch = mkdtempSync(join(tmpdir(), 'uipvs-recipes-'));
    const dir = '/proc/sys/net/ipv4/vs';
    const script = `echo 1 > ${dir}/conntrack; cat ${dir}/conntrack; ls ${dir} | head -1`;
    const options = ['--private', '--plane', 'none', '--proc', 'all'];
    const env = { PATH: process.env['PATH'], TMPDIR: scratch, HOME: scratch };
    const { status, stdout, stderr } = await run(wrappedCommand(['sh', '-c', script], options), { env });
    expect([status, stdout, stderr]).toEqual([0, '1\nam_droprate\n', '']);
    expect(readdirSync(scratch)).toEqual([]);
    rmSync(scratch, { recursive: true });
  });

  test.each([
    {
      options: ['--private', '--director', '/x'],
      reason: 'run: --private and --director exclude each other',
    },
    { options: ['--plane', 'none'], reason: 'run: --plane needs --private' },
  ])('is not run with $options', async ({ options, reason }) => {
    const { status, stderr } = await run(wrappedCommand(['true'], options));
    expect([status, stderr]).toEqual([2, `uipvs: ${reason}\n`]);
  });
});

describe.skipIf(isMissing('prometheus-node-exporter'))('the node exporter, a static Go program', () => {
  test('exports the tables of the director', async () => {
    const director = new TestDirector();
    directors.push(director);
    await director.start(['--plane', 'none']);
    await director.ok('-A -t 10.0.0.1:80 -s rr');
    await director.ok('-a -t 10.0.0.1:80 -r 10.0.0.2:8080 -m -w 42');
    const exporter = [
      findProgram('prometheus-node-exporter')!,
      '--collector.disable-defaults',
      '--collector.ipvs',
      `--web.listen-address=${EXPORTER}:${EXPORTER_PORT}`,
    ];
    programs.start(wrappedCommand(exporter, ['--proc', 'all']), { env: director.env });
    let metrics = '';
    await until('the exporter answers', async () => {
      metrics = await get();
      return metrics !== '';
    });
    expect(metrics).toMatch(/^node_ipvs_backend_weight\{.*remote_address="10\.0\.0\.2".*\} 42$/m);
    expect(metrics).toContain('\nnode_ipvs_connections_total 0\n');
  });
});

function get(): Promise<string> {
  return new Promise((resolve) => {
    const client = request(
      { host: EXPORTER, port: EXPORTER_PORT, path: '/metrics', agent: false },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => {
          body += text;
        });
        response.on('end', () => resolve(body));
      },
    );
    client.on('error', () => resolve(''));
    client.end();
  });
}
