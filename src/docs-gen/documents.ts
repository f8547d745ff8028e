import { bashCompletions } from './bash.ts';
import { fishCompletions } from './fish.ts';
import { ipvsadmManual } from './man-ipvsadm.ts';
import { uipvsManual } from './man-uipvs.ts';
import { optionMatrix } from './option-matrix.ts';
import { workloadJsonSchema } from './workload-json-schema.ts';
import { zshCompletions } from './zsh.ts';

/** Makes the text of every generated file, by its path below the package's directory. */
export const DOCUMENTS: Readonly<Record<string, () => string>> = {
  'docs/man/uipvs.8': uipvsManual,
  'docs/man/uipvs-ipvsadm.8': ipvsadmManual,
  'docs/ipvsadm-options.md': optionMatrix,
  'docs/workload.schema.json': workloadJsonSchema,
  'completions/uipvs.bash': bashCompletions,
  'completions/_uipvs': zshCompletions,
  'completions/uipvs.fish': fishCompletions,
};
