import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { programVersion } from '../control/installation.ts';
import { formatAddress } from '../core/address.ts';
import type { Command } from '../core/commands.ts';
import type { ServiceKey } from '../core/config.ts';
import { describeService } from '../core/service.ts';
import { type Assertion, holds, parseAssertion } from '../sim/assertion.ts';
import { isCapture } from '../sim/capture/capture.ts';
import { SimulationProblem } from '../sim/problem.ts';
import type { RunResult } from '../sim/results.ts';
import { makeDirector, makeScene } from '../sim/setup.ts';
import { schedulers as knownSchedulers } from '../sim/simulate.ts';
import { offeredLoad } from '../sim/simulation.ts';
import { METRICS, summarise } from '../sim/summary.ts';
import { type ParsedWorkload, parseWorkload } from '../sim/workload-file.ts';
import { expectPositionals, parseVerbArgs, UsageError } from './arguments.ts';
import { outcomeCsv } from './laboratory/csv.ts';
import { formatValue } from './laboratory/format.ts';
import { readAssets } from './laboratory/html/assets.ts';
import { outcomeHtml } from './laboratory/html/document.ts';
import { type InputFile, type Outcome, outcomeJson } from './laboratory/outcome.ts';
import { InputError, readInput, readRules } from './laboratory/rules-file.ts';
import { Runner } from './laboratory/runner.ts';
import { outcomeText } from './laboratory/text.ts';
import type { Terminal } from './terminal.ts';

const OPTIONS = {
  compare: { type: 'string' },
  repeat: { type: 'string', default: '5' },
  seed: { type: 'string', default: '1' },
  assert: { type: 'string', multiple: true },
  workers: { type: 'string' },
  html: { type: 'string' },
  json: { type: 'boolean', default: false },
  csv: { type: 'boolean', default: false },
  timing: { type: 'boolean', default: false },
} as const;

const STATUS = { OK: 0, FAILED: 1, ASSERTION: 3, INTERRUPTED: 130 } as const;
const MOST_REPLICATIONS = 10_000;
const MOST_WORKERS = 256;
const PROGRESS_PERIOD_MS = 100;
const BAR_WIDTH = 40;

interface Request {
  readonly rulesFile: string;
  readonly workloadFile: string;
  /** `undefined`: the service's own. */
  readonly compare: readonly (string | undefined)[];
  readonly repeat: number;
  readonly seed: number;
  readonly assertions: readonly Assertion[];
  readonly workers: number;
  readonly form: 'text' | 'json' | 'csv';
  /** Where to write the page; `undefined`: nowhere. */
  readonly html: string | undefined;
  readonly timing: boolean;
}

/** What was read from files. */
interface Input extends ParsedWorkload {
  readonly commands: readonly Command[];
  readonly hash: string;
  readonly files: readonly InputFile[];
}

/** `uipvs sim RULES WORKLOAD.yaml`: simulates rules against a workload. */
export async function runSim(args: readonly string[], terminal: Terminal): Promise<number> {
  const request = parseRequest(args);
  try {
    const input = await readInputs(request);
    return await compare(request, input, terminal);
  } catch (error) {
    if (!(error instanceof InputError || error instanceof SimulationProblem)) throw error;
    const text = error instanceof SimulationProblem ? located(error, request.workloadFile) : error.message;
    for (const line of text.split('\n')) terminal.complain(`sim: ${line}`);
    return STATUS.FAILED;
  }
}

/** With the place in the workload of what the problem is about. */
function located({ message, mention }: SimulationProblem, workloadFile: string): string {
  if (mention === undefined) return message;
  const text = readInput(workloadFile);
  const at = text.indexOf(mention);
  if (at < 0) return `${workloadFile}: ${message}`;
  const before = text.slice(0, at).split('\n');
  return `${workloadFile}:${before.length}:${before.at(-1)!.length + 1}: ${message}`;
}

function parseRequest(args: readonly string[]): Request {
  const { values, positionals } = parseVerbArgs('sim', args, OPTIONS);
  expectPositionals('sim', positionals, 2);
  if (values.json && values.csv) throw new UsageError('sim: give either --json or --csv');
  const names = values.compare?.split(',');
  const unknown = names?.find((name) => !knownSchedulers.some((spec) => spec.name === name));
  if (unknown !== undefined) throw new UsageError(`sim: --compare: there is no scheduler '${unknown}'`);
  const assertions = (values.assert ?? []).map((text) => {
    const assertion = parseAssertion(text);
    if (typeof assertion === 'string') throw new UsageError(`sim: --assert: ${assertion}`);
    return assertion;
  });
  return {
    rulesFile: positionals[0]!,
    workloadFile: positionals[1]!,
    compare: names ?? [undefined],
    repeat: wholeNumber('repeat', values.repeat, 1, MOST_REPLICATIONS),
    seed: wholeNumber('seed', values.seed, 0, Number.MAX_SAFE_INTEGER),
    assertions,
    workers: wholeNumber('workers', values.workers ?? String(availableParallelism()), 1, MOST_WORKERS),
    form: values.json ? 'json' : values.csv ? 'csv' : 'text',
    html: values.html,
    timing: values.timing,
  };
}

function wholeNumber(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new UsageError(`sim: --${option}: expected a whole number from ${least} to ${most}; found '${text}'`);
}

async function readInputs({ rulesFile, workloadFile }: Request): Promise<Input> {
  const commands = await readRules(rulesFile);
  const rules = readInput(rulesFile);
  const text = readInput(workloadFile);
  const hash = createHash('sha256').update(rules).update('\0').update(text);
  const files = [describeInput(rulesFile, rules), describeInput(workloadFile, text)];
  const parsed = parseWorkload(
    text,
    (name) => {
      const path = join(dirname(workloadFile), name);
      try {
        const trace = readFileSync(path);
        hash.update('\0').update(trace);
        files.push(describeInput(path, trace));
        return isCapture(trace) ? trace : trace.toString();
      } catch (error) {
        return new Error(
          `the trace cannot be read: ${error instanceof Error ? error.message : String(error)}`,
        );
      }
    },
    servicesOf(commands),
  );
  if ('workload' in parsed) return { ...parsed, commands, hash: hash.digest('hex'), files };
  const lines = parsed.map(({ file, line, column, message }) => {
    return `${file === '' ? workloadFile : join(dirname(workloadFile), file)}:${line}:${column}: ${message}`;
  });
  throw new InputError(lines.join('\n'));
}

function servicesOf(commands: readonly Command[]): ServiceKey[] {
  return [...makeDirector(commands, knownSchedulers, () => 0, 1).services()].map((service) =>
    service.config(),
  );
}

function describeInput(file: string, content: string | Uint8Array): InputFile {
  return { file, sha256: createHash('sha256').update(content).digest('hex') };
}

async function compare(request: Request, input: Input, terminal: Terminal): Promise<number> {
  const { commands, workload, service } = input;
  const scene = makeScene(commands, workload, knownSchedulers, service, request.compare[0]);
  const experiments = request.compare.flatMap((scheduler) =>
    Array.from({ length: request.repeat }, (_, replication) => {
      return { commands, workload, service, scheduler, seed: request.seed, replication };
    }),
  );
  const bar = new ProgressBar();
  const runner = new Runner(experiments, (share) => bar.show(share));
  let interrupted = false;
  const interrupt = (): void => {
    interrupted = true;
    runner.stop();
  };
  process.once('SIGINT', interrupt);
  const { results, cpuMs } = await runner.run(request.workers).finally(() => {
    process.removeListener('SIGINT', interrupt);
    bar.clear();
  });
  const runs = request.compare
    .map((_, i) => usable(results.slice(i * request.repeat, (i + 1) * request.repeat)))
    .filter((own) => own.length > 0);
  if (runs.length === 0) throw new SimulationProblem('stopped before anything was finished');
  const outcome: Outcome = {
    version: programVersion(),
    command: commandLine(request),
    seed: request.seed,
    replications: Math.max(...runs.map(({ length }) => length)),
    inputHash: input.hash,
    inputs: input.files,
    service: describeService(scene.service, formatAddress),
    serverCount: scene.atStart,
    offeredLoad: offeredLoad(scene, workload),
    partial: interrupted,
    schedulers: summarise(runs),
  };
  const print = { text: outcomeText, json: outcomeJson, csv: outcomeCsv }[request.form];
  if (request.html !== undefined) writePage(request.html, outcome);
  await terminal.print(print(outcome));
  if (request.timing) terminal.complain(timingLine(results, cpuMs));
  const failed = judge(request.assertions, outcome, terminal);
  if (interrupted) return STATUS.INTERRUPTED;
  return failed ? STATUS.ASSERTION : STATUS.OK;
}

/** @throws InputError if the file cannot be written */
function writePage(file: string, outcome: Outcome): void {
  const page = outcomeHtml(outcome, readAssets());
  try {
    writeFileSync(file, page);
  } catch (error) {
    throw new InputError(
      `${file}: cannot be written: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/** Whole runs; if there are none, those that were stopped. */
function usable(results: readonly (RunResult | undefined)[]): RunResult[] {
  const present = results.filter((result) => result !== undefined);
  const whole = present.filter(({ partial }) => !partial);
  return whole.length > 0 ? whole : present;
}

/** @returns whether one did not hold */
function judge(assertions: readonly Assertion[], { schedulers }: Outcome, terminal: Terminal): boolean {
  let failed = false;
  for (const assertion of assertions) {
    const { unit } = METRICS.find(({ name }) => name === assertion.metric)!;
    for (const { scheduler, metrics } of schedulers) {
      const { mean } = metrics[assertion.metric]!;
      if (holds(assertion, mean)) continue;
      failed = true;
      terminal.complain(`sim: ${scheduler}: ${assertion.text} does not hold: ${formatValue(mean, unit)}`);
    }
  }
  return failed;
}

function commandLine({ rulesFile, workloadFile, compare: names, repeat, seed }: Request): string {
  const list = names[0] === undefined ? '' : ` --compare ${names.join(',')}`;
  const files = `${shellWord(rulesFile)} ${shellWord(workloadFile)}`;
  return `uipvs sim ${files}${list} --repeat ${repeat} --seed ${seed}`;
}

/** Quoted if a shell would read it as something else. */
const shellWord = (word: string): string =>
  /^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

function timingLine(results: readonly (RunResult | undefined)[], cpuMs: number): string {
  const events = results.reduce((sum, result) => sum + (result?.events ?? 0), 0);
  const arrived = results.reduce((sum, result) => sum + (result?.outcomes.arrived ?? 0), 0);
  const perEvent = ((cpuMs * 1e6) / events).toFixed(0);
  const perSecond = ((arrived / cpuMs) * 1000).toFixed(0);
  return `sim: ${perEvent} ns per event, ${perSecond} connections per second of processor time`;
}

/** How far it is, on a terminal only. */
class ProgressBar {
  private readonly isWanted = process.stderr.isTTY;
  private shownAt = 0;

  show(share: number): void {
    const now = performance.now();
    if (!this.isWanted || now - this.shownAt < PROGRESS_PERIOD_MS) return;
    this.shownAt = now;
    const full = Math.round(share * BAR_WIDTH);
    const bar = '#'.repeat(full).padEnd(BAR_WIDTH, '.');
    process.stderr.write(`\r${bar} ${(share * 100).toFixed(0).padStart(3)} %`);
  }

  clear(): void {
    if (this.shownAt > 0) process.stderr.write('\r\x1b[K');
  }
}
