import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isAnswering } from '../../src/control/director-lock.ts';
import { endProcess, run, until } from '../../test/support/processes.ts';
import { type Bed, BULK_PORT, HTTP_PORT, SERVERS, UDP_PORT, VIP } from './bed.ts';
import type { Running } from './listener.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
/** Of the clock in /proc/PID/stat; the same on all machines that Linux runs on today. */
const TICKS_PER_SECOND = 100;
/** Of /proc/PID/stat, counted from the field after the program's name. */
const USER_TIME = 11;
const SYSTEM_TIME = 12;

let count = 0;

/** @param options of `uipvs daemon` */
export async function startDirector(bed: Bed, options: readonly string[]): Promise<Running> {
  const dir = join(bed.scratch, `director${++count}`);
  const env = {
    PATH: process.env['PATH'],
    UIPVS_RUNTIME_DIR: join(dir, 'run'),
    UIPVS_STATE_DIR: join(dir, 'state'),
  };
  for (const path of [env.UIPVS_RUNTIME_DIR, env.UIPVS_STATE_DIR]) mkdirSync(path, { recursive: true });
  const daemon = [process.execPath, join(ROOT, 'bin/uipvs'), 'daemon', '--plane', 'packet', ...options];
  const [program = '', ...args] = bed.inside('director', ...daemon);
  const child = spawn(program, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await until('the director listens', () => {
    if (child.exitCode !== null) throw new Error(`the director ended: ${said}`);
    return isAnswering(env.UIPVS_RUNTIME_DIR);
  });
  const tool = async (name: string, words: readonly string[], input = ''): Promise<string> => {
    const { status, stdout, stderr } = await run([process.execPath, join(ROOT, 'bin', name), ...words], {
      env,
      input,
    });
    if (status !== 0) throw new Error(`${name} ${words.join(' ')}: ${stderr}`);
    return stdout;
  };
  await tool('ipvsadm', ['-R'], rules());
  return {
    work: async () => {
      const { counters } = JSON.parse(await tool('uipvs', ['status', '--json']));
      return { packets: counters.packets_in, ...processorTime(child.pid!) };
    },
    stop: () => endProcess(child, 'SIGTERM'),
  };
}

function rules(): string {
  const service = (kind: string, port: number, servers: readonly string[]): string[] => [
    `-A ${kind} ${VIP}:${port} -s rr`,
    ...servers.map((server) => `-a ${kind} ${VIP}:${port} -r ${server}:${port} -m`),
  ];
  const lines = [
    ...service('-t', HTTP_PORT, SERVERS),
    ...service('-t', BULK_PORT, SERVERS.slice(0, 1)),
    ...service('-u', UDP_PORT, SERVERS),
  ];
  return `${lines.join('\n')}\n`;
}

/** Of all threads of a process. */
function processorTime(pid: number): { readonly userUs: number; readonly systemUs: number } {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  const us = (field: number): number => (Number(fields[field]) * 1e6) / TICKS_PER_SECOND;
  return { userUs: us(USER_TIME), systemUs: us(SYSTEM_TIME) };
}
