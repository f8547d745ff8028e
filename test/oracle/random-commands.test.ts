import { describe, expect, test } from 'vitest';
import { AF_INET6, parseAddress, sameAddress } from '../../src/core/address.ts';
import type { DirectorPort } from '../../src/core/commands.ts';
import { DAEMON_STATE } from '../../src/core/config.ts';
import type { CoreQuery, Director } from '../../src/core/director.ts';
import type { Host } from '../../src/core/host.ts';
import { connectDirector } from '../../src/netlink/client.ts';
import { NetlinkSession } from '../../src/netlink/server.ts';
import { SCHEDULERS } from '../../src/schedulers/registry.ts';
import { runWith } from '../cli/in-process.ts';
import { exchangeWith } from '../netlink/support.ts';
import { fakeHost, makeDirector } from '../support/core.ts';
import { type CommandLine, isOracleMissing, type Result, runOnKernel } from '../support/oracle/kernel.ts';
import { listsUnsorted, randomCommandLines } from './command-lines.ts';

const LINES = 200;
const FIRST_SEED = Number(process.env['UIPVS_ORACLE_SEED'] ?? 20261122);
const SEEDS = Number(process.env['UIPVS_ORACLE_SEEDS'] ?? 1);

/** This kernel is built without twos. */
const SCHEDULER_NAMES = SCHEDULERS.map(({ name }) => name).filter((name) => name !== 'twos');

describe.skipIf(isOracleMissing())('random command lines', () => {
  const seeds = Array.from({ length: SEEDS }, (_, n) => FIRST_SEED + n);

  test.each(seeds)(
    'of seed %i are answered as the real ipvsadm on a real kernel does',
    async (seed) => {
      const lines = randomCommandLines(seed, LINES, SCHEDULER_NAMES);
      const [expected, actual] = await Promise.all([runOnKernel(lines), runHere(lines)]);
      const reports = (results: readonly Result[]): string[] =>
        results.map((result, n) => report(lines[n]!, result));
      expect(reports(actual), `UIPVS_ORACLE_SEED=${seed}`).toEqual(reports(expected));
    },
    300_000,
  );
});

const LOOPBACK_BROADCAST = parseAddress('127.255.255.255')!;

/** What the virtual machine is: a loopback interface, with no way for a master to an IPv6 group. */
const host: Host = {
  ...fakeHost,
  isBroadcast: (address) => sameAddress(address, LOOPBACK_BROADCAST),
  multicastProblem: ({ state, group }) =>
    state === DAEMON_STATE.MASTER && group?.family === AF_INET6 ? 'ENETUNREACH' : undefined,
};

async function runHere(lines: readonly CommandLine[]): Promise<Result[]> {
  const director = await overNetlink(makeDirector({ host }));
  const results: Result[] = [];
  for (const { words, stdin } of lines) {
    const { status, ...text } = await runWith(words, () => Promise.resolve(director), stdin);
    results.push({ status: status & 255, ...text });
  }
  return results;
}

/** The core as clients reach it, so that the messages are tried as well. */
function overNetlink(core: Director): Promise<DirectorPort> {
  const ask = async (query: CoreQuery): Promise<unknown> => core.ask(query, 0);
  const session = new NetlinkSession({
    apply: async (command) => core.apply(command, 0),
    ask: ask as DirectorPort['ask'],
  });
  return connectDirector(exchangeWith(session));
}

function report(line: CommandLine, { status, stdout, stderr }: Result): string {
  const input = line.stdin === '' ? '' : ` <<< ${JSON.stringify(line.stdin)}`;
  const output = listsUnsorted(line) ? sortServices(stdout) : stdout;
  return `ipvsadm ${line.words.map((word) => JSON.stringify(word)).join(' ')}${input}\n${output}${stderr}[${status}]`;
}

/** Puts the services of listings, each with its servers, in some order that does not depend on the present one. */
const sortServices = (text: string): string =>
  text
    .split(/^(?! {2}->)/m)
    .sort()
    .join('');
