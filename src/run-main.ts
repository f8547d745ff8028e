import { loneVerb } from './lone-verb.ts';
import { runRun } from './verbs/run.ts';

export const main = loneVerb('run', runRun);
