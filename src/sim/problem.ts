/** Rules and workload that do not fit together, or cannot be simulated; the message is a line for people. */
export class SimulationProblem extends Error {
  override readonly name = 'SimulationProblem';
  /** Word of the workload file that it is about, as it is likely to be written there. */
  readonly mention: string | undefined;

  constructor(message: string, mention?: string) {
    super(message);
    this.mention = mention;
  }
}
