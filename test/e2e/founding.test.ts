import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestDirector } from '../support/director.ts';
import { Processes, run } from '../support/processes.ts';
import { isMissing } from '../support/programs.ts';
import { startNginx } from '../support/servers.ts';

const VIP = '127.60.0.1';
const SERVICE = `${VIP}:31555`;
const PODS = ['127.60.0.11', '127.60.0.12'] as const;

describe.skipIf(isMissing('nginx', 'curl'))('the founding scenario, without privileges', () => {
  const director = new TestDirector();
  const servers = new Processes();

  beforeAll(async () => {
    await director.start();
    for (const [n, pod] of PODS.entries())
      await startNginx(servers, director.scratch, pod, 8080, `pod${n + 1}`);
  });

  afterAll(async () => {
    await servers.end();
    await director.cleanUp();
  });

  test('the director has no privileges', async () => {
    const { stdout } = await run(['ps', '-o', 'uid=', '-p', String(director.process?.pid)]);
    expect(Number(stdout)).not.toBe(0);
  });

  test('a published service keeps each client on one server and shows it', async () => {
    await director.ok(`-A -t ${SERVICE} -s rr -p 600`);
    expect(await curl('127.60.0.101')).toBe('refused');
    for (const pod of PODS) await director.ok(`-a -t ${SERVICE} -r ${pod}:8080 -m`);
    expect(await director.ok('-l -n')).toBe(
      [
        'IP Virtual Server version 1.2.1 (size=4096)',
        'Prot LocalAddress:Port Scheduler Flags',
        '  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn',
        `TCP  ${SERVICE} rr persistent 600`,
        '  -> 127.60.0.11:8080             Masq    1      0          0         ',
        '  -> 127.60.0.12:8080             Masq    1      0          0         ',
        '',
      ].join('\n'),
    );
    const answers = [];
    for (const client of ['127.60.0.101', '127.60.0.102', '127.60.0.101', '127.60.0.102']) {
      answers.push(await curl(client));
    }
    expect(answers).toEqual(['pod2', 'pod1', 'pod2', 'pod1']);
  });

  test('-l -n -c shows the templates and the entries in their states', async () => {
    const lines = (await director.ok('-l -n -c')).split('\n');
    expect(lines[1]).toBe('pro expire state       source             virtual            destination');
    expect(lines).toContainEqual(
      expect.stringMatching(
        /^TCP 09:5\d {2}ASSURED {5}127\.60\.0\.101:0 {5}127\.60\.0\.1:31555 {3}127\.60\.0\.12:8080$/,
      ),
    );
    const closed =
      /^TCP 0\d:\d\d {2}(TIME_WAIT|CLOSE_WAIT|FIN_WAIT) +127\.60\.0\.101:\d+ +127\.60\.0\.1:31555 +127\.60\.0\.12:8080$/;
    expect(lines.filter((line) => closed.test(line))).toHaveLength(2);
  });

  test('-d removes a server, and its client goes to the other one', async () => {
    await director.ok(`-d -t ${SERVICE} -r 127.60.0.12:8080`);
    expect(await curl('127.60.0.101')).toBe('pod1');
    expect(await director.ok('-l -n')).not.toContain('127.60.0.12:8080');
  });

  test('a service without servers refuses connections', async () => {
    await director.ok(`-d -t ${SERVICE} -r 127.60.0.11:8080`);
    expect(await curl('127.60.0.101')).toBe('refused');
    await director.ok(`-D -t ${SERVICE}`);
    expect(await curl('127.60.0.101')).toBe('refused');
  });

  test('wrr distributes as a kernel does for weights 3 and 5', async () => {
    await director.ok(`-A -t ${SERVICE} -s wrr`);
    await director.ok(`-a -t ${SERVICE} -r 127.60.0.11:8080 -m -w 3`);
    await director.ok(`-a -t ${SERVICE} -r 127.60.0.12:8080 -m -w 5`);
    let picks = '';
    for (let i = 0; i < 24; i++) picks += (await curl('127.60.0.103')).replace('pod', '');
    expect(picks).toBe('212221212122212121222121');
    await director.ok('-C');
  });
});

/** @returns what the service answered, or `refused` */
async function curl(client: string): Promise<string> {
  const { status, stdout } = await run([
    'curl',
    '-s',
    '--max-time',
    '5',
    '--interface',
    client,
    `http://${SERVICE}/`,
  ]);
  return status === 0 ? stdout.trim() : status === 7 ? 'refused' : `curl status ${status}`;
}
