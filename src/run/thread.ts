import { workerData } from 'node:worker_threads';
import { native } from '../net/ffi/native.ts';
import { architectureOf } from './abi.ts';
import { Shared, type SupervisorData } from './shared.ts';
import { shieldThread } from './signals.ts';
import { Supervisor } from './supervisor.ts';

const { options, words } = workerData as SupervisorData;
const shared = new Shared(words);
const arch = architectureOf(process.arch);
if (arch) {
  const calls = native();
  shieldThread(calls, arch);
  const watch = shared.waitForWatch();
  if (watch) {
    const supervisor = new Supervisor(calls, arch, watch, options, () => shared.noteFiles());
    void supervisor.run(() => shared.wanted);
  }
}
