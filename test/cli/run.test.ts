import { describe, expect, test } from 'vitest';
import type { Names } from '../../src/cli/names.ts';
import { runIpvsadm, type Streams } from '../../src/cli/run.ts';
import { runRestore, runSave, SAVE_HELP } from '../../src/cli/wrappers.ts';
import { NoDirector } from '../../src/control/client.ts';
import { IpvsError } from '../../src/core/errors.ts';
import { InProcess, runWith } from './in-process.ts';

const QUESTION = 'Are you sure that IP Virtual Server is built in the kernel or as module?\n';

describe('without a director', () => {
  test.each([
    {
      when: 'nobody listens',
      error: new NoDirector('/run/uipvs/netlink.sock', 'ENOENT'),
      says:
        `Can't initialize ipvs: Protocol not available\n${QUESTION}` +
        "uipvs: no director at /run/uipvs/netlink.sock; start one with 'uipvs up'\n",
    },
    {
      when: 'its socket is closed to the user',
      error: new NoDirector('/run/uipvs/netlink.sock', 'EACCES'),
      says: `Can't initialize ipvs: Permission denied (you must be root)\n${QUESTION}`,
    },
    {
      when: 'the other side has no IPVS',
      error: new IpvsError('ENOENT', 'there is no IPVS'),
      says: `Can't initialize ipvs: No such file or directory\n${QUESTION}`,
    },
    {
      when: 'one cannot be started',
      error: new Error('start the director: EMFILE'),
      says: `Can't initialize ipvs: Protocol not available\n${QUESTION}uipvs: start the director: EMFILE\n`,
    },
  ])('every command says so when $when', async ({ error, says }) => {
    for (const words of [[], ['-v'], ['-h'], ['-X'], ['-Ln'], ['-A', '-t', '10.0.0.1:80'], ['-R']]) {
      const result = await runWith(words, () => Promise.reject(error));
      expect(result).toEqual({ status: 2, stdout: '', stderr: says });
    }
  });
});

describe('standard input', () => {
  test.each([{ words: ['-Ln'] }, { words: ['-C'] }, { words: ['-h'] }, { words: ['-R', '-n'] }])(
    'is left alone by $words',
    async ({ words }) => {
      const streams: Streams = {
        stdin: () => {
          throw new Error('standard input was read');
        },
        stdout: () => {},
        stderr: () => {},
      };
      await expect(
        runIpvsadm(words, streams, async () => new InProcess().port, NO_NAMES),
      ).resolves.toBeDefined();
    },
  );

  test('of a restore is obeyed line by line, before the next line is there', async () => {
    const program = new InProcess();
    const seen: number[] = [];
    const services = () => program.director.ask({ query: 'services' }, 0).length;
    async function* slowly(): AsyncGenerator<string> {
      yield '-A -t 10.0.0.1:80\n-A -t 10.0.';
      seen.push(services());
      yield '0.2:80\n';
      seen.push(services());
    }
    const streams: Streams = { stdin: slowly, stdout: () => {}, stderr: () => {} };
    await runIpvsadm(['-R'], streams, async () => program.port, NO_NAMES);
    expect(seen).toEqual([1, 2]);
  });
});

test('a listing in numbers asks for no name', async () => {
  const program = new InProcess();
  await program.run(['-R'], '-A -t 10.0.0.1:80\n-a -t 10.0.0.1:80 -r 192.168.0.1 -m\n');
  const streams: Streams = { stdin: async function* () {}, stdout: () => {}, stderr: () => {} };
  for (const words of [['-Ln'], ['-Sn'], ['-Lnc'], ['-Ln', '-t', '10.0.0.1:80']]) {
    expect(await runIpvsadm(words, streams, async () => program.port, NO_NAMES)).toBe(0);
  }
});

test('a broken connection is no refusal: it ends the program', async () => {
  const lost = Object.assign(new Error('the director closed the connection'), { code: 'ECONNRESET' });
  const port = { apply: () => Promise.reject(lost), ask: () => Promise.reject(lost) };
  await expect(runWith(['-C'], async () => port)).rejects.toThrow(lost);
  await expect(runWith(['-Ln'], async () => port)).rejects.toThrow(lost);
});

describe('ipvsadm-save', () => {
  test.each([
    { args: [], runs: ['-S'] },
    { args: ['-n'], runs: ['-S', '-n'] },
    { args: ['-n', '-n'], runs: ['-S', '-n'] },
    { args: ['word'], runs: ['-S'] },
    { args: ['word', '-n'], runs: ['-S', '-n'] },
  ])('with $args runs $runs', async ({ args, runs }) => {
    const seen: (readonly string[])[] = [];
    const status = await runSave(
      args,
      async (words) => seen.push(words),
      () => {},
    );
    expect(seen).toEqual([runs]);
    expect(status).toBe(1);
  });

  test.each([{ args: ['-h'] }, { args: ['-n', '--bogus'] }, { args: ['--', '-n'] }, { args: ['-nn'] }])(
    'with $args explains itself and fails',
    async ({ args }) => {
      let stderr = '';
      const status = await runSave(
        args,
        () => Promise.reject(new Error('it ran')),
        (text) => {
          stderr += text;
        },
      );
      expect({ status, stderr }).toEqual({ status: 1, stderr: SAVE_HELP });
    },
  );
});

describe('ipvsadm-restore', () => {
  test.each([
    {
      what: 'comments and the last empty lines',
      rules: '# c\n-A -t 10.0.0.1:80\n #c\n\n\n',
      kept: '-A -t 10.0.0.1:80\n #c\n',
    },
    { what: 'nothing of nothing', rules: '', kept: '\n' },
    { what: 'any change but a final newline', rules: '-C', kept: '-C\n' },
    { what: 'a line that the shell takes for options of echo', rules: '-n\n', kept: '' },
  ])('clears the table and restores without $what', async ({ rules, kept }) => {
    const seen: [readonly string[], string][] = [];
    const status = await runRestore(rules, async (words, stdin) => seen.push([words, stdin]));
    expect(seen).toEqual([
      [['-C'], ''],
      [['-R'], kept],
    ]);
    expect(status).toBe(2);
  });
});

const refuse = (): never => {
  throw new Error('a name was asked for');
};
const NO_NAMES: Names = { hostAddress: refuse, hostName: refuse, servicePort: refuse, serviceName: refuse };
