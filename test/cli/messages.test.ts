import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { errnoName } from '../../src/core/errors.ts';
import { serviceEntry } from '../support/entries.ts';
import { type Answers, FakePort } from '../support/fake-port.ts';
import { runWith } from './in-process.ts';

interface Row {
  readonly args: string;
  readonly errno: number;
  readonly status: number;
  readonly stderr: string;
}

const ROWS: readonly Row[] = JSON.parse(
  readFileSync(new URL('../golden/cli-errnos.json', import.meta.url), 'utf8'),
).rows;
const KNOWN = ROWS.filter(({ errno }) => errnoName(errno) !== undefined);

test.each(KNOWN)('$args refused with errno $errno says: $stderr', async ({ args, errno, status, stderr }) => {
  const port = new FakePort({}, errnoName(errno)!, '');
  expect(await runWith(args.split(' '), async () => port)).toEqual({
    status,
    stdout: '',
    stderr: `${stderr}\n`,
  });
});

describe('the reason of our director', () => {
  test.each([
    { errno: 'EADDRINUSE', text: 'Address already in use' },
    { errno: 'EADDRNOTAVAIL', text: 'Cannot assign requested address' },
    { errno: 'EACCES', text: 'Permission denied' },
    { errno: 'EPROTONOSUPPORT', text: 'Protocol not supported' },
    { errno: 'ELOOP', text: 'Too many levels of symbolic links' },
    { errno: 'ENOSPC', text: 'No space left on device' },
    { errno: 'EIO', text: 'Input/output error' },
  ] as const)('follows a refusal with $errno, which no kernel makes', async ({ errno, text }) => {
    const { stderr } = await runWith(['-C'], async () => new FakePort({}, errno, 'because'));
    expect(stderr).toBe(`${text}\nuipvs: because\n`);
  });

  test.each([
    { errno: 'EINVAL', text: 'Invalid operation.  Possibly wrong module version, address not unicast, ...' },
    { errno: 'ENODEV', text: 'No such device' },
    { errno: 'ERANGE', text: 'Numerical result out of range' },
    { errno: 'ENETUNREACH', text: 'Network is unreachable' },
  ] as const)('is not told with $errno, which a kernel gives', async ({ errno, text }) => {
    const { stderr } = await runWith(['-C'], async () => new FakePort({}, errno, 'because'));
    expect(stderr).toBe(`${text}\n`);
  });
});

describe('a listing that the director refuses', () => {
  const info = () => ({ version: 0x010201, tableSize: 4096 });
  const version = 'IP Virtual Server version 1.2.1 (size=4096)\n';
  const service = () => serviceEntry();
  const services = () => [serviceEntry()];

  test.each<{ args: string; answers: Answers; stdout: string; stderr: string; status: number }>([
    { args: '-Ln', answers: { info }, stdout: version, stderr: 'No such process\n', status: 1 },
    { args: '-Sn', answers: {}, stdout: '', stderr: 'No such process\n', status: 1 },
    { args: '-Ln -t 10.0.0.1:80', answers: {}, stdout: '', stderr: 'No such service\n', status: 1 },
    { args: '-L --timeout', answers: {}, stdout: '', stderr: '', status: 1 },
    { args: '-L --daemon', answers: {}, stdout: '', stderr: '', status: 1 },
    { args: '-Sn', answers: { services }, stdout: '', stderr: '', status: 0 },
    {
      args: '-Ln -t 10.0.0.1:80',
      answers: { service },
      stdout: '',
      stderr: 'No such service\n',
      status: 1,
    },
  ])('$args with answers to $answers ends with $status', async ({ args, answers, ...result }) => {
    expect(await runWith(args.split(' '), async () => new FakePort(answers, 'ESRCH'))).toEqual(result);
  });

  test('leaves out the services whose servers it does not tell', async () => {
    const port = new FakePort({ info, services }, 'EIO');
    const { stdout, status } = await runWith(['-Ln'], async () => port);
    expect(stdout.split('\n')).toHaveLength(4);
    expect(status).toBe(0);
  });
});
