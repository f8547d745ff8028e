/** Rules and workload that do not fit together, or cannot be simulated; the message is a line for people. */
export class SimulationProblem extends Error {
  override readonly name = 'SimulationProblem';
}
