import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, get, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** Addresses of loopback that are the demonstration's own. */
const VIP = '127.31.55.1';
const PORT = 31555;
const PODS = ['127.31.55.11', '127.31.55.12'] as const;
const POD_PORT = 8080;
const CLIENTS = ['127.31.55.101', '127.31.55.102'] as const;
const START_LIMIT_MS = 10_000;

const bin = (name: string): string => fileURLToPath(new URL(`../../bin/${name}`, import.meta.url));

/** A step of the demonstration did not do what it should. */
class DemoFailure extends Error {
  override readonly name = 'DemoFailure';
}

/**
 * Publishes two small servers on one virtual address with the four founding commands, on loopback and without
 * privileges, and checks what each step did.
 * @returns the exit status: 0 only if every step did what it should
 */
export async function runDemo(args: readonly string[]): Promise<number> {
  if (args.length > 0) {
    process.stderr.write('uipvs demo: takes no arguments\n');
    return 2;
  }
  const demo = new Demo();
  try {
    await demo.play();
    say('\nAll steps did what they should.');
    return 0;
  } catch (error) {
    if (!(error instanceof DemoFailure)) throw error;
    process.stderr.write(`uipvs demo: ${error.message}\n`);
    return 1;
  } finally {
    await demo.cleanUp();
  }
}

const say = (text: string): void => void process.stdout.write(`${text}\n`);

function expect(holds: boolean, what: string): void {
  if (!holds) throw new DemoFailure(what);
}

class Demo {
  private readonly scratch = mkdtempSync(join(tmpdir(), 'uipvs-demo-'));
  private readonly env = {
    ...process.env,
    UIPVS_RUNTIME_DIR: join(this.scratch, 'run'),
    UIPVS_STATE_DIR: join(this.scratch, 'state'),
  };
  private readonly servers: Server[] = [];
  private director: ChildProcess | undefined;

  async play(): Promise<void> {
    say('Two real servers ("pods") and a director, all on loopback, without privileges:');
    for (const pod of PODS) await this.startPod(pod);
    await this.startDirector();
    const service = `${VIP}:${PORT}`;

    say('\nPublish them on a virtual address, each client staying with its server for 600 s:');
    await this.ipvsadm('-A', '-t', service, '-s', 'rr', '-p', '600');
    for (const pod of PODS) await this.ipvsadm('-a', '-t', service, '-r', `${pod}:${POD_PORT}`, '-m');
    const table = await this.ipvsadm('-l', '-n');
    expect(table.includes(`TCP  ${service} rr persistent 600`), 'the table does not list the service');

    say('\nTwo clients ask three times each:');
    const seen = [];
    for (const client of CLIENTS) seen.push(await this.askThrice(client));
    expect(new Set(seen).size === 2, 'both clients were sent to one server');

    say('\nTheir connections, and the persistence templates (client port 0):');
    const entries = await this.ipvsadm('-l', '-n', '-c');
    for (const client of CLIENTS) {
      expect(entries.includes(`${client}:0`), `no template for ${client} is listed`);
    }

    say(`\nTake ${seen[0]} away: its client moves to the other server at once:`);
    await this.ipvsadm('-d', '-t', service, '-r', `${seen[0]}:${POD_PORT}`);
    expect(
      (await this.askThrice(CLIENTS[0])) === seen[1],
      'the client was not moved to the server that is left',
    );
    await this.ipvsadm('-l', '-n');
  }

  async cleanUp(): Promise<void> {
    if (this.director && this.director.exitCode === null) {
      const ended = once(this.director, 'exit');
      this.director.kill('SIGTERM');
      await ended;
    }
    for (const server of this.servers) {
      server.closeAllConnections();
      server.close();
    }
    rmSync(this.scratch, { recursive: true, force: true });
  }

  private async startPod(address: string): Promise<void> {
    const server = createServer((_request, response) => response.end(`${address}\n`));
    this.servers.push(server);
    server.listen(POD_PORT, address);
    const failure = await Promise.race([
      once(server, 'listening').then(() => undefined),
      once(server, 'error'),
    ]);
    expect(failure === undefined, `cannot listen on ${address}:${POD_PORT}: ${String(failure?.[0])}`);
    say(`  pod ${address}:${POD_PORT}`);
  }

  private async startDirector(): Promise<void> {
    const director = spawn(process.execPath, [bin('uipvs'), 'daemon', '--plane', 'proxy'], {
      env: this.env,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    this.director = director;
    const socket = join(this.env.UIPVS_RUNTIME_DIR, 'netlink.sock');
    for (let waitedMs = 0; !existsSync(socket); waitedMs += 20) {
      expect(director.exitCode === null, `the director ended with status ${director.exitCode}`);
      expect(waitedMs < START_LIMIT_MS, 'the director did not start');
      await sleep(20);
    }
    say(`  director, process ${director.pid}`);
  }

  /** Runs our ipvsadm and shows what it printed. */
  private async ipvsadm(...args: string[]): Promise<string> {
    say(`$ ipvsadm ${args.join(' ')}`);
    const child = spawn(process.execPath, [bin('ipvsadm'), ...args], {
      env: this.env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
    const [status] = await once(child, 'close');
    if (output) say(output.trimEnd());
    expect(status === 0, `ipvsadm ended with status ${status}`);
    return output;
  }

  /** @returns the server that answered all three times */
  private async askThrice(client: string): Promise<string> {
    const answers = [];
    for (let i = 0; i < 3; i++) answers.push(await ask(client));
    say(`  client ${client}: ${answers.join(', ')}`);
    expect(new Set(answers).size === 1, `client ${client} did not stay with one server`);
    return answers[0]!;
  }
}

/**
 * Ports of clients, each used once: as a kernel does, a director turns a connection away whose port is that of an earlier one to a
 * server that was deleted, and the system's own choice may fall on such a port.
 */
let clientPort = 20_000 + Math.floor(Math.random() * 10_000);
const IN_USE: ReadonlySet<string | undefined> = new Set(['EADDRINUSE', 'EADDRNOTAVAIL']);

/** One HTTP request through the virtual address. @returns the address of the pod that answered */
function ask(localAddress: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const localPort = clientPort++;
    const request = get({ host: VIP, port: PORT, localAddress, localPort, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve(text.trim()));
    });
    request.on('error', (error: NodeJS.ErrnoException) => {
      if (IN_USE.has(error.code)) resolve(ask(localAddress));
      else reject(new DemoFailure(`a request of ${localAddress} failed: ${error.message}`));
    });
  });
}
