import { workerData } from 'node:worker_threads';
import { native as openNative } from '../net/packet/ffi.ts';
import { architectureOf } from './abi.ts';
import { Shared, type SupervisorData } from './shared.ts';
import { Supervisor } from './supervisor.ts';

const { options, words } = workerData as SupervisorData;
const shared = new Shared(words);
const arch = architectureOf(process.arch);
if (arch) {
  const native = openNative();
  const listener = shared.waitForListener();
  if (listener >= 0) void new Supervisor(native, arch, listener, options).run(() => shared.isStopped);
}
