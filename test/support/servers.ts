import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { accepts, type Processes, until } from './processes.ts';
import { findProgram } from './programs.ts';

/** Starts an nginx that answers every request with `name`. */
export async function startNginx(
  processes: Processes,
  scratch: string,
  host: string,
  port: number,
  name: string,
): Promise<void> {
  const dir = join(scratch, `nginx-${host}-${port}`);
  mkdirSync(dir, { recursive: true });
  const config = join(dir, 'nginx.conf');
  writeFileSync(
    config,
    `daemon off; worker_processes 1; pid ${dir}/pid; error_log stderr;
     ${process.getuid?.() === 0 ? 'user nobody nogroup;' : ''}
     events {}
     http { access_log off; client_body_temp_path ${dir}/body; proxy_temp_path ${dir}/proxy;
            fastcgi_temp_path ${dir}/f; uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s;
            server { listen ${host}:${port}; location / { return 200 "${name}\\n"; } } }`,
  );
  processes.start([findProgram('nginx')!, '-e', 'stderr', '-p', dir, '-c', config]);
  await until(`nginx on ${host}:${port}`, () => accepts(host, port));
}

/** Starts a process of traffic-server.ts and waits until it serves. */
export async function startTrafficServer(
  processes: Processes,
  kind: 'send' | 'echo',
  host: string,
  port: number,
  bytes = 0,
): Promise<ChildProcess> {
  const script = fileURLToPath(new URL('../../dist/test/support/traffic-server.js', import.meta.url));
  const child = processes.start([process.execPath, script, kind, host, String(port), String(bytes)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout!, 'data');
  return child;
}
