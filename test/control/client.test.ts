import { mkdirSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { connectToDirector, NoDirector } from '../../src/control/client.ts';
import { claimRuntimeDir, directorProcess, isAnswering } from '../../src/control/director-lock.ts';
import type { PathContext } from '../../src/control/paths.ts';
import { ControlServer } from '../../src/control/server.ts';
import { NetlinkSession } from '../../src/netlink/server.ts';
import { FakeDirector } from './fake-director.ts';
import { tempDir } from './temp-dir.ts';

const UID = process.getuid!();

test('a client speaks with the director over the socket', async () => {
  const dir = tempDir();
  const director = await serve(dir);
  const status = {
    pid: 1,
    version: '1.2.3',
    plane: 'auto',
    io: 'node',
    capture: '',
    footprint: [],
    problems: [],
    uptimeSec: 5,
    services: [],
    connections: 0,
    connectionsMax: 9,
    counters: { drops: 1 },
  };
  director.answers = { status: () => status };
  const client = await connectToDirector({ paths: given(dir), autostart: false });
  expect(client.runtimeDir).toBe(dir);
  expect(await client.ask({ query: 'status' })).toEqual(status);
  const change = { op: 'set-sysctl', name: 'conntrack', value: '1' } as const;
  await client.apply(change);
  expect(director.applied).toEqual([change]);
  director.refusal = 'EINVAL';
  await expect(client.apply(change)).rejects.toMatchObject({ errno: 'EINVAL', message: 'refused with 22' });
  client.close();
  await expect(client.ask({ query: 'info' })).rejects.toThrow();
});

test('where the variable points to nobody, no other director is taken', async () => {
  const xdg = tempDir();
  mkdirSync(join(xdg, 'uipvs'));
  await serve(join(xdg, 'uipvs'));
  const dir = tempDir();
  const env = { UIPVS_RUNTIME_DIR: dir, XDG_RUNTIME_DIR: xdg };
  await expect(connectToDirector({ paths: user(env), autostart: false })).rejects.toThrow(dir);
});

test('without a director a client says where it expected one and what to do', async () => {
  const dir = tempDir();
  const path = join(dir, 'netlink.sock');
  await expect(connectToDirector({ paths: given(dir), autostart: false })).rejects.toThrow(
    new NoDirector(path, 'ENOENT'),
  );
  expect(new NoDirector(path, 'ENOENT').message).toBe(`no director at ${path}; start one with 'uipvs up'`);
  expect(new NoDirector(path, 'EACCES').message).toBe(`cannot reach the director at ${path}: EACCES`);
});

test("a socket behind somebody's symbolic link in the temporary directory is not used", async () => {
  const real = tempDir();
  await serve(real);
  const temp = tempDir();
  symlinkSync(real, join(temp, `uipvs-${UID + 1}`));
  const paths = { ...user({}), uid: UID + 1, tempDir: temp };
  await expect(connectToDirector({ paths, autostart: false })).rejects.toThrow(NoDirector);
});

test('a director that closes the connection is unreachable', async () => {
  const dir = tempDir();
  const server = createServer((socket) => socket.destroy()).listen(join(dir, 'netlink.sock'));
  await expect(connectToDirector({ paths: given(dir), autostart: false })).rejects.toThrow(
    /^cannot reach the director at .*: (ECONNRESET|EPIPE)$/,
  );
  server.close();
});

test('a runtime directory belongs to one director', async () => {
  const dir = tempDir();
  const lock = await claimRuntimeDir(dir);
  expect(directorProcess(dir)?.pid).toBe(process.pid);
  await expect(claimRuntimeDir(dir)).rejects.toThrow(
    `use ${dir}: a director already runs there (pid ${process.pid})`,
  );
  lock.release();
  (await claimRuntimeDir(dir)).release();
});

test('a socket that answers keeps others out even if the lock was lost', async () => {
  const dir = tempDir();
  await serve(dir);
  expect(await isAnswering(dir)).toBe(true);
  await expect(claimRuntimeDir(dir)).rejects.toThrow(`use ${dir}: a director already runs there`);
  expect(directorProcess(dir)).toBeUndefined();
});

const servers: ControlServer[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close(0)));
});

async function serve(dir: string): Promise<FakeDirector> {
  const director = new FakeDirector();
  const server = new ControlServer({
    path: join(dir, 'netlink.sock'),
    mode: 0o600,
    createSession: () => new NetlinkSession(director),
    warn: () => {},
  });
  await server.listen();
  servers.push(server);
  return director;
}

/** A user other than root on a machine without any director. */
const user = (env: PathContext['env']): PathContext => ({
  env,
  uid: 1000,
  tempDir: tempDir(),
  systemDir: tempDir(),
  home: undefined,
});

const given = (dir: string): PathContext => user({ UIPVS_RUNTIME_DIR: dir });
