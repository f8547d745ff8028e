import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../support/processes.ts';

const UIPVS = fileURLToPath(new URL('../../bin/uipvs', import.meta.url));
const RULES = `\
-A -t 10.0.0.1:80 -s wlc
-a -t 10.0.0.1:80 -r 10.0.0.2:80 -m -w 1
-a -t 10.0.0.1:80 -r 10.0.0.3:80 -m -w 2
`;
const WORKLOAD = `\
connections: 5000
arrivals: { kind: poisson, rate: 200 }
serviceTime: { kind: exponential, mean: 10ms }
servers: { 10.0.0.3:80: { speed: 2 } }
`;

let dir: string;
const write = (name: string, text: string): string => {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
};
const uipvs = (...args: string[]) => run([UIPVS, ...args]);

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'uipvs-sim-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

describe('uipvs sim', () => {
  test('compares schedulers, and says how to do it again', async () => {
    const { status, stdout } = await uipvs(
      'sim',
      write('r', RULES),
      write('w.yaml', WORKLOAD),
      '--compare',
      'rr,wlc',
    );
    expect(status).toBe(0);
    expect(stdout).toContain('TCP 10.0.0.1:80, 2 servers, offered load 0.67; 5 replications, seed 1');
    expect(stdout).toMatch(/^mean .* ms ±[\d.]+ +[\d.]+ ms ±[\d.]+ \*{1,2}$/m);
    expect(stdout).toContain('--compare rr,wlc --repeat 5 --seed 1');
  });

  test('gives the same bytes for any number of threads, and others for another seed', async () => {
    const files = [write('r', RULES), write('w.yaml', WORKLOAD)];
    const json = async (...more: string[]): Promise<string> =>
      (await uipvs('sim', ...files, '--json', '--repeat', '4', ...more)).stdout;
    const one = await json('--workers', '1');
    expect(JSON.parse(one)).toMatchObject({ schema: 'uipvs-sim/1', partial: false, replications: 4 });
    expect(await json('--workers', '3')).toBe(one);
    expect(await json('--seed', '2')).not.toBe(one);
  });

  test('CSV has a line for each scheduler and replication', async () => {
    const files = [write('r', RULES), write('w.yaml', WORKLOAD)];
    const { stdout } = await uipvs('sim', ...files, '--csv', '--compare', 'rr,sh,mh', '--repeat', '2');
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => line.split(',').slice(0, 2).join());
    expect(lines).toEqual(['scheduler,replication', 'rr,0', 'rr,1', 'sh,0', 'sh,1', 'mh,0', 'mh,1']);
  });

  test.each([
    { claim: 'mean<1s', status: 0 },
    { claim: 'p99<1ms', status: 3 },
  ])('ends with $status for the claim $claim', async ({ claim, status }) => {
    const files = [write('r', RULES), write('w.yaml', WORKLOAD)];
    expect((await uipvs('sim', ...files, '--repeat', '2', '--assert', claim)).status).toBe(status);
  });

  test('a load that servers cannot carry is told', async () => {
    const overload = WORKLOAD.replace('rate: 200', 'rate: 400');
    const { stdout } = await uipvs('sim', write('r', RULES), write('w.yaml', overload), '--repeat', '1');
    expect(stdout).toContain('UNSTABLE: the offered load is 1.33');
  });

  test.each([
    {
      more: 'churn: [{ do: drain, at: 1s, server: 10.0.0.9:80 }]\n',
      says: ':5:38: the service has no server 10.0.0.9:80',
    },
    { more: 'service: tcp 10.0.0.7:80\n', says: ':5:1: the rules have no service TCP 10.0.0.7:80' },
  ])('what does not fit the rules is told with its place: $says', async ({ more, says }) => {
    const files = [write('r', RULES), write('w.yaml', WORKLOAD + more)];
    const { status, stderr } = await uipvs('sim', ...files);
    expect(status).toBe(1);
    expect(stderr).toBe(`uipvs: sim: ${files[1]}${says}\n`);
  });

  test.each([
    {
      rules: '-A -t 10.0.0.1:80 -s rr\n  -a -t 10.0.0.9:80 -r 10.0.0.2:80\n',
      says: ':2:9: there is no service TCP 10.0.0.9:80',
    },
    { rules: 'hello\n', says: ":1:1: Try `ipvsadm -h' or 'ipvsadm --help' for more information." },
    { rules: '', says: 'the rules have no service' },
  ])('a mistake in the rules is told: $says', async ({ rules, says }) => {
    const { status, stderr } = await uipvs('sim', write('r', rules), write('w.yaml', WORKLOAD));
    expect(status).toBe(1);
    expect(stderr).toContain(says);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });
});

describe('uipvs explain', () => {
  test('says which server each connection gets, and from which state', async () => {
    const rules = write('r', RULES.replace('wlc', 'rr'));
    const { status, stdout } = await uipvs(
      'explain',
      '--rules',
      rules,
      '-t',
      '10.0.0.1:80',
      '--from',
      '192.0.2.1:4000',
      '--times',
      '2',
    );
    expect(status).toBe(0);
    expect(stdout).toContain(
      '192.0.2.1:4000 -> 10.0.0.3:80: chosen by rr\n  cursor: at the head of the list\n',
    );
    expect(stdout).toContain('192.0.2.1:4001 -> 10.0.0.2:80: chosen by rr\n  cursor: server 1 of the list\n');
  });

  test('tells a template from a choice, and who is excluded', async () => {
    const rules = write(
      'r',
      `${RULES.replace('wlc', 'wlc -p 300')}-a -t 10.0.0.1:80 -r 10.0.0.4:80 -m -w 0\n`,
    );
    const { stdout } = await uipvs(
      'explain',
      '--rules',
      rules,
      '-t',
      '10.0.0.1:80',
      '--from',
      '192.0.2.1:4000',
      '--times',
      '2',
    );
    expect(stdout).toContain(
      "192.0.2.1:4001 -> 10.0.0.3:80: kept there by the client's template (persistent 300 s)",
    );
    expect(stdout).toContain('10.0.0.4:80  weight 0, active 0, inactive 0, overhead 0  excluded: weight 0');
  });

  test('a server can be left out', async () => {
    const rules = write('r', RULES);
    const args = ['explain', '--rules', rules, '-t', '10.0.0.1:80', '--from', '192.0.2.1:4000', '--json'];
    const answer = async (...more: string[]): Promise<unknown> =>
      JSON.parse((await uipvs(...args, ...more)).stdout);
    expect(await answer()).toMatchObject([{ server: '10.0.0.3:80', reason: 'scheduler' }]);
    expect(await answer('--without', '10.0.0.3:80')).toMatchObject([{ server: '10.0.0.2:80' }]);
  });
});
