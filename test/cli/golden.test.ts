import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { AF_INET6 } from '../../src/core/address.ts';
import { DAEMON_STATE } from '../../src/core/config.ts';
import type { Host } from '../../src/core/host.ts';
import { fakeHost } from '../support/core.ts';
import { InProcess, type Result } from './in-process.ts';

const FOLDER = new URL('../golden/cli/', import.meta.url);

interface RecordedStep extends Result {
  readonly argv?: readonly string[];
  readonly sh?: string;
  readonly stdin?: string | null;
  /** The tables are emptied. */
  readonly reset?: true;
}

/** Why a recorded shell command is not run here. */
const SKIPPED: readonly { readonly why: string; readonly sh: RegExp }[] = [
  { why: 'privileges are the matter of the control socket', sh: /^setpriv / },
  { why: 'a pipe into the program, which takes processes', sh: /\| ipvsadm (-R|--restore)/ },
];

const skipped = new Map<string, number>();

afterAll(() => {
  // Nothing else may be left out: a new kind of step must be mapped or given a reason.
  expect([...skipped.keys()].sort()).toEqual(SKIPPED.map(({ why }) => why).sort());
});

describe.each(readdirSync(FOLDER).filter((name) => name.endsWith('.golden')))('%s', (name) => {
  const steps = readFileSync(new URL(name, FOLDER), 'utf8')
    .trim()
    .split('\n')
    .map((line): RecordedStep => JSON.parse(line));

  test('every command answers as the kernel and the real program did', async () => {
    let host = new RecordedHost();
    let program = new InProcess(host);
    for (const step of steps) {
      if (step.reset) {
        host = new RecordedHost();
        program = new InProcess(host);
        continue;
      }
      const result = await replay(step, program, host);
      if (!result) continue;
      const { status, stdout, stderr } = step;
      expect.soft(result, JSON.stringify(step.argv ?? step.sh)).toEqual({ status, stdout, stderr });
    }
  });
});

/** @returns `undefined` for a step that is skipped */
async function replay(
  step: RecordedStep,
  program: InProcess,
  host: RecordedHost,
): Promise<Result | undefined> {
  if (step.argv) {
    const [path, ...words] = step.argv;
    return program.runProgram(path!.replace(/.*\//, ''), words, step.stdin ?? '');
  }
  const sh = step.sh!;
  const reason = SKIPPED.find((entry) => entry.sh.test(sh))?.why;
  if (reason !== undefined) {
    skipped.set(reason, (skipped.get(reason) ?? 0) + 1);
    return undefined;
  }
  const stdout = program.readShell(sh) ?? host.changeByShell(sh);
  if (stdout === undefined) throw new Error(`nothing stands for: ${sh}`);
  return { status: 0, stdout, stderr: '' };
}

/** The machine of the recordings: `lo`, and a dummy interface while there is one. */
class RecordedHost implements Host {
  private dummy: 'absent' | 'up' | 'down' = 'absent';
  private dummyMtu = 1500;
  private readonly isLocalByName = fakeHost.isLocal;

  isLocal: Host['isLocal'] = (address) => this.isLocalByName(address);
  isBroadcast: Host['isBroadcast'] = (address) => address.words[0] === -1;

  interfaceMtu: Host['interfaceMtu'] = (name) => {
    if (name === 'lo') return 65536;
    return name === 'd0' && this.dummy !== 'absent' ? this.dummyMtu : undefined;
  };

  multicastProblem: Host['multicastProblem'] = ({ state, interface: name, group }) => {
    if (state !== DAEMON_STATE.MASTER) return undefined;
    const hasLinkLocal = name !== 'lo' && this.dummy === 'up';
    if (group?.family === AF_INET6) return hasLinkLocal ? undefined : 'ENETUNREACH';
    return name === 'lo' || this.dummy === 'up' ? undefined : 'ENETUNREACH';
  };

  /** @returns what the shell printed, or `undefined` for a command that is not known */
  changeByShell(command: string): string | undefined {
    if (/^ip link add d0 type dummy .*grep -c fe80$/.test(command)) {
      this.dummy = 'up';
      return '1\n';
    }
    const mtu = /^ip link set dev d0 mtu (\d+)$/.exec(command)?.[1];
    if (mtu !== undefined) this.dummyMtu = Number(mtu);
    else if (command === 'ip link set dev d0 down') this.dummy = 'down';
    else if (!/^ip addr add \S+ dev lo$/.test(command)) return undefined;
    return '';
  }
}
