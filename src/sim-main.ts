import { loneVerb } from './lone-verb.ts';
import { runSim } from './verbs/sim.ts';

export const main = loneVerb('sim', runSim);
