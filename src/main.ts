import { programVersion } from './control/installation.ts';
import { EXIT, report, TERMINAL, watchOutput } from './report.ts';
import { UsageError } from './verbs/arguments.ts';
import { overview, runHelp, verbHelp } from './verbs/help.ts';
import { isVerb, type VerbName } from './verbs/table.ts';
import type { Terminal } from './verbs/terminal.ts';

/** Names under which the program behaves as ipvsadm. */
const IPVSADM_NAMES = ['ipvsadm', 'uipvsadm'];

type Runner = (args: string[], terminal: Terminal) => Promise<number>;

/** Each verb's module is loaded only when it is wanted. */
const RUNNERS: Readonly<Record<VerbName, () => Promise<Runner>>> = {
  up: async () => (await import('./verbs/up.ts')).runUp,
  down: async () => (await import('./verbs/down.ts')).runDown,
  status: async () => (await import('./verbs/status.ts')).runStatus,
  ipvsadm: async () => (await import('./cli/main.ts')).runIpvsadm,
  run: async () => (await import('./verbs/run.ts')).runRun,
  sysctl: async () => (await import('./verbs/sysctl.ts')).runSysctl,
  proc: async () => (await import('./verbs/proc.ts')).runProc,
  daemon: async () => (await import('./daemon.ts')).runDaemon,
  'install-links': async () => (await import('./verbs/install-links.ts')).runInstallLinks,
  decap: async () => (await import('./decap.ts')).runDecap,
  sim: async () => (await import('./verbs/sim.ts')).runSim,
  explain: async () => (await import('./verbs/explain.ts')).runExplain,
  demo: async () => (await import('./demo.ts')).runDemo,
  help: async () => runHelp,
  version: async () => runVersion,
};

/**
 * Runs the program.
 * @param name the one it was started under
 * @returns the exit status: 0 done, 1 failed, 2 usage or no director, 3 a claim does not hold, 70 defect
 */
export async function main(name: string, args: readonly string[]): Promise<number> {
  watchOutput();
  try {
    if (IPVSADM_NAMES.includes(name)) return await run('ipvsadm', args);
    const [verb, ...rest] = args;
    return await runVerb(verb, rest);
  } catch (error) {
    return report(error);
  }
}

async function runVerb(verb: string | undefined, args: readonly string[]): Promise<number> {
  if (verb === undefined) {
    process.stderr.write(overview());
    return EXIT.USAGE;
  }
  if (verb === '--help' || verb === '-h') return runHelp(args, TERMINAL);
  if (verb === '--version' || verb === '-V') return runVersion(args, TERMINAL);
  if (!isVerb(verb)) throw new UsageError(`unknown verb '${verb}'; see 'uipvs help'`);
  return run(verb, args);
}

async function run(verb: VerbName, args: readonly string[]): Promise<number> {
  if (verb !== 'ipvsadm' && args.length === 1 && (args[0] === '--help' || args[0] === '-h')) {
    await TERMINAL.print(verbHelp(verb));
    return EXIT.OK;
  }
  const runner = await RUNNERS[verb]();
  return runner([...args], TERMINAL);
}

async function runVersion(args: readonly string[], terminal: Terminal): Promise<number> {
  if (args.length > 0) throw new UsageError('version takes no argument');
  await terminal.print(`uipvs ${programVersion()}\n`);
  return EXIT.OK;
}
