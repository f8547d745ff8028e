import { Worker } from 'node:worker_threads';
import { SimulationProblem } from '../../sim/problem.ts';
import type { RunResult } from '../../sim/results.ts';
import type { Experiment } from '../../sim/simulate.ts';
import type { Report, WorkerSetup } from './messages.ts';

/** Runs, in the order of the experiments; of one that was not begun there is none. */
export interface Finished {
  readonly results: readonly (RunResult | undefined)[];
  /** Processor time that it took, ms, all threads together. */
  readonly cpuMs: number;
}

/** Does all runs on threads of their own; how many there are changes nothing in the results. */
export class Runner {
  private readonly experiments: readonly Experiment[];
  private readonly stopFlag = new Int32Array(new SharedArrayBuffer(4));
  private readonly onProgress: (share: number) => void;
  private readonly shares: number[];
  private readonly results: (RunResult | undefined)[];
  private next = 0;

  /** @param onProgress told the share of all work that is done, from 0 to 1 */
  constructor(experiments: readonly Experiment[], onProgress: (share: number) => void) {
    this.experiments = experiments;
    this.onProgress = onProgress;
    this.shares = experiments.map(() => 0);
    this.results = experiments.map(() => undefined);
  }

  /** @throws SimulationProblem */
  async run(threads: number): Promise<Finished> {
    const before = process.cpuUsage();
    const count = Math.min(threads, this.experiments.length);
    const workers = Array.from({ length: count }, () => this.makeWorker());
    try {
      await Promise.all(workers.map((worker) => this.feed(worker)));
    } finally {
      await Promise.all(workers.map((worker) => worker.terminate()));
    }
    const { user, system } = process.cpuUsage(before);
    return { results: this.results, cpuMs: (user + system) / 1000 };
  }

  /** Ends runs where they are; those that were not begun are not. */
  stop(): void {
    Atomics.store(this.stopFlag, 0, 1);
    this.next = this.experiments.length;
  }

  private makeWorker(): Worker {
    const workerData: WorkerSetup = { stop: this.stopFlag };
    return new Worker(new URL('./worker.js', import.meta.url), { workerData });
  }

  /** Gives a worker one run after the other until there is none left. */
  private feed(worker: Worker): Promise<void> {
    return new Promise((resolve, reject) => {
      const give = (): void => {
        const index = this.next++;
        const experiment = this.experiments[index];
        if (experiment) worker.postMessage({ index, experiment });
        else resolve();
      };
      worker.on('error', reject);
      worker.on('message', (report: Report) => {
        if (report.kind === 'refused') {
          reject(new SimulationProblem(report.message));
          return;
        }
        const isDone = report.kind === 'done';
        this.shares[report.index] = isDone ? 1 : report.share;
        this.onProgress(this.shares.reduce((sum, share) => sum + share, 0) / this.shares.length);
        if (!isDone) return;
        this.results[report.index] = report.result;
        give();
      });
      give();
    });
  }
}
