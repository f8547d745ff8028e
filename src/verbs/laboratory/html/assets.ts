import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { installedFile } from '../../../control/installation.ts';

/** What goes into the page beside the results. */
export interface PageAssets {
  readonly chartLibrary: string;
  readonly chartStyle: string;
  /** Draws the charts; a module without imports. */
  readonly script: string;
}

export function readAssets(): PageAssets {
  const { resolve } = createRequire(import.meta.url);
  const read = (path: string): string => readFileSync(path, 'utf8');
  const script = read(installedFile('dist/src/report-page/page.js'));
  return {
    chartLibrary: read(resolve('uplot/dist/uPlot.iife.min.js')),
    chartStyle: read(resolve('uplot/dist/uPlot.min.css')),
    script: script.replace(/^\/\/# sourceMappingURL=.*$/m, ''),
  };
}
