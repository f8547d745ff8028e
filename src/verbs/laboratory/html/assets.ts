import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** What goes into the page beside the results. */
export interface PageAssets {
  readonly chartLibrary: string;
  readonly chartStyle: string;
  /** Draws the charts; a module without imports. */
  readonly script: string;
}

export function readAssets(): PageAssets {
  const { resolve } = createRequire(import.meta.url);
  const read = (path: string | URL): string => readFileSync(path, 'utf8');
  const script = read(new URL('../../../report-page/page.js', import.meta.url));
  return {
    chartLibrary: read(resolve('uplot/dist/uPlot.iife.min.js')),
    chartStyle: read(resolve('uplot/dist/uPlot.min.css')),
    script: script.replace(/^\/\/# sourceMappingURL=.*$/m, ''),
  };
}
