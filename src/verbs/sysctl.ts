import { connectToDirector } from '../control/client.ts';
import type { DirectorPort, Sysctl } from '../core/commands.ts';
import { IpvsError } from '../core/errors.ts';
import { parseVerbArgs, UsageError } from './arguments.ts';
import type { Terminal } from './terminal.ts';

const PREFIX = 'net.ipv4.vs.';

const OPTIONS = {
  all: { type: 'boolean', short: 'a', default: false },
  values: { type: 'boolean', short: 'n', default: false },
  write: { type: 'boolean', short: 'w', default: false },
} as const;

/** A setting to show, or to change to `value`. */
interface SysctlRequest {
  /** As given. */
  readonly key: string;
  readonly value: string | undefined;
}

/** `uipvs sysctl [-a] [-n] [-w] KEY[=VALUE]...`; a key that fails does not keep the others from their turn. */
export async function runSysctl(args: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals } = parseVerbArgs('sysctl', args, OPTIONS);
  const requests = positionals.map(parseSysctlArgument);
  if (values.all ? requests.length > 0 : requests.length === 0) {
    throw new UsageError("sysctl: give either -a or keys; see 'uipvs help sysctl'");
  }
  const unset = values.write ? requests.find(({ value }) => value === undefined) : undefined;
  if (unset) throw new UsageError(`sysctl: '${unset.key}' must be of the form KEY=VALUE`);
  const director = await connectToDirector({ autostart: false });
  try {
    const show = (sysctl: Sysctl): Promise<void> =>
      terminal.print(values.values ? `${sysctl.value}\n` : `${PREFIX}${sysctl.name} = ${sysctl.value}\n`);
    if (values.all) {
      for (const sysctl of await director.ask({ query: 'sysctl', name: undefined })) await show(sysctl);
      return 0;
    }
    let status = 0;
    for (const request of requests) {
      const outcome = await perform(director, request);
      if (typeof outcome === 'string') {
        terminal.complain(outcome);
        status = 1;
      } else {
        await show(outcome);
      }
    }
    return status;
  } finally {
    director.close();
  }
}

/** KEY or KEY=VALUE; blanks around both are left out, as sysctl(8) does. */
function parseSysctlArgument(argument: string): SysctlRequest {
  const at = argument.indexOf('=');
  if (at < 0) return { key: argument.trim(), value: undefined };
  return { key: argument.slice(0, at).trim(), value: argument.slice(at + 1).trim() };
}

/** @returns the setting as it is afterwards, or a complaint. */
async function perform(director: DirectorPort, { key, value }: SysctlRequest): Promise<Sysctl | string> {
  const name = settingName(key);
  if (name === undefined) return `sysctl: no setting '${key}'`;
  try {
    if (value !== undefined) await director.apply({ op: 'set-sysctl', name, value });
    const [found] = await director.ask({ query: 'sysctl', name });
    return found ?? `sysctl: no setting '${key}'`;
  } catch (error) {
    if (!(error instanceof IpvsError)) throw error;
    if (error.errno === 'ENOENT') return `sysctl: no setting '${key}'`;
    return `sysctl: cannot set '${key}' to '${value}': ${error.message}`;
  }
}

/** net.ipv4.vs.NAME, or net/ipv4/vs/NAME as sysctl(8) also takes it. */
function settingName(key: string): string | undefined {
  const dotted = key.replaceAll('/', '.');
  return dotted.startsWith(PREFIX) ? dotted.slice(PREFIX.length) : undefined;
}
