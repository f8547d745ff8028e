import { parentPort, workerData } from 'node:worker_threads';
import { IpvsError } from '../../core/errors.ts';
import { SimulationProblem } from '../../sim/problem.ts';
import { prepare } from '../../sim/simulate.ts';
import type { Report, Task, WorkerSetup } from './messages.ts';

/** Events between two looks at whether to stop: about a tenth of a second. */
const SLICE = 200_000;

const { stop } = workerData as WorkerSetup;
const tell = (report: Report): void => parentPort!.postMessage(report);

parentPort!.on('message', ({ index, experiment }: Task) => {
  try {
    const simulation = prepare(experiment);
    let isOver = simulation.advance(SLICE);
    while (!isOver && Atomics.load(stop, 0) === 0) {
      tell({ kind: 'progress', index, share: simulation.progress });
      isOver = simulation.advance(SLICE);
    }
    tell({ kind: 'done', index, result: simulation.result(!isOver) });
  } catch (error) {
    if (!(error instanceof SimulationProblem || error instanceof IpvsError)) throw error;
    tell({ kind: 'refused', message: error.message });
  }
});
