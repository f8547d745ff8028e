// Runs every test, end to end included, and prints what passed, failed and was skipped on one last line.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'uipvs-test-'));
const reportFile = join(scratch, 'report.json');
const vitest = join(root, 'node_modules/vitest/vitest.mjs');
const args = [vitest, 'run', '--reporter=default', '--reporter=json', `--outputFile=${reportFile}`];
const run = spawnSync(process.execPath, [...args, ...process.argv.slice(2)], { cwd: root, stdio: 'inherit' });

let report;
try {
  report = JSON.parse(readFileSync(reportFile, 'utf8'));
} catch (error) {
  console.error(`no test report: ${error.message}`);
}
rmSync(scratch, { recursive: true, force: true });
if (!report) process.exit(1);

const skipped = report.numPendingTests + report.numTodoTests;
if (skipped > 0) {
  const packages = readFileSync(join(root, 'test/debian-packages.txt'), 'utf8').trim().split('\n');
  console.log(
    `Tests that miss a program are skipped; all programs: apt-get install -y ${packages.join(' ')}`,
  );
}
const failed = report.numFailedTests + report.testResults.filter((file) => isBroken(file)).length;
const tail = skipped > 0 ? `, ${skipped} skipped` : '';
console.log(`${report.numPassedTests} passed, ${failed} failed${tail}`);
process.exit(run.status === 0 && failed === 0 ? 0 : 1);

/** A file that failed as a whole, before any of its tests did. */
function isBroken(file) {
  return file.status === 'failed' && file.assertionResults.every((test) => test.status !== 'failed');
}
