import { writeSync } from 'node:fs';
import { processPaths } from '../control/paths.ts';
import type { Native } from '../net/ffi/native.ts';
import { type Architecture, E, type SyscallName } from './abi.ts';
import { MemoryAccess, Unreachable } from './client-memory.ts';
import { SocketCalls } from './client-socket.ts';
import { candidateSockets, DirectorLink } from './director-link.ts';
import { DirectorTexts } from './director-texts.ts';
import { FileComparison } from './file-comparison.ts';
import { IpvsSockets } from './ipvs-sockets.ts';
import { type Call, Listener } from './listener.ts';
import { RECEIVE_CALLS, SEND_CALLS } from './message-calls.ts';
import { OwnerAccess } from './owner-access.ts';
import { Poll } from './poll.ts';
import { ProcFiles, pathAt, plainPath } from './proc-files.ts';
import { WANTED, type Wanted, type Watch } from './shared.ts';
import { SocketOptions } from './socket-options.ts';
import { SocketTable } from './socket-table.ts';

/** How often calls that wait for something to receive are looked at. */
const RETRY_MS = 10;

export interface SupervisorOptions {
  /** A director's runtime directory or socket; `undefined`: the usual places. */
  readonly director: string | undefined;
}

/** Whether it has answered; the kernel's turn otherwise. */
type Handler = (call: Call) => boolean | Promise<boolean>;

/** Answers the calls of wrapped programs, one after the other, until it is told to end. */
export class Supervisor {
  private readonly listener: Listener;
  private readonly poll: Poll;
  private readonly sockets: IpvsSockets;
  private readonly files: ProcFiles;
  private readonly options: SocketOptions;
  private readonly handlers = new Map<number, Handler>();

  /** @param onFiles called when there is something to finish at the end, by `run` */
  constructor(
    native: Native,
    arch: Architecture,
    watch: Watch,
    options: SupervisorOptions,
    onFiles: () => void,
  ) {
    this.listener = new Listener(native, arch, watch.listener);
    this.poll = new Poll(native, arch);
    const calls = new SocketCalls(native, arch);
    const paths = processPaths();
    const link = (): DirectorLink =>
      new DirectorLink(native, arch, () => candidateSockets(options.director, paths));
    const owners = new OwnerAccess(native, arch);
    const memories = new MemoryAccess(native, arch, owners);
    const table = new SocketTable(watch.window, owners, new FileComparison(native, arch, watch.listener));
    const { listener } = this;
    const texts = new DirectorTexts(link());
    const freeNumber = (tid: number): number => table.freeNumber(tid);
    this.sockets = new IpvsSockets({ listener, calls, table, link: link(), memories });
    this.files = new ProcFiles({ native, arch, listener, texts, owners, memories, freeNumber, onFiles });
    this.options = new SocketOptions(listener, texts, memories);
    this.install(arch);
  }

  /**
   * Never waits for the event loop: what is awaited is settled already.
   * @param wanted asked at each call of this process itself: that is how it is woken
   */
  async run(wanted: () => Wanted): Promise<void> {
    for (;;) {
      if (this.isImpatient && !this.poll.isReadable(this.listener.fd, RETRY_MS)) {
        await this.lookAgain();
        continue;
      }
      const call = this.listener.receive();
      if (!call) continue;
      if (call.tid === process.pid && wanted() !== WANTED.SERVE) {
        await this.files.close();
        this.listener.pass(call);
        if (wanted() === WANTED.END) return;
        continue;
      }
      if (this.isImpatient) await this.lookAgain();
      await this.handle(call);
    }
  }

  /** Whether something may happen of which no call tells. */
  private get isImpatient(): boolean {
    return this.sockets.isWaited || this.files.writers.isOpen;
  }

  private async lookAgain(): Promise<void> {
    if (this.files.writers.isOpen) await this.files.writers.drain();
    if (this.sockets.isWaited) this.sockets.retry();
  }

  private async handle(call: Call): Promise<void> {
    try {
      const isAnswered = this.handlers.get(call.number)?.(call) ?? false;
      if (!(typeof isAnswered === 'boolean' ? isAnswered : await isAnswered)) this.listener.pass(call);
    } catch (error) {
      if (error instanceof Unreachable) {
        this.listener.pass(call);
        return;
      }
      writeSync(2, `uipvs: run: ${error instanceof Error ? error.stack : String(error)}\n`);
      this.listener.answer(call, -E.EIO);
    }
  }

  private install({ syscalls }: Architecture): void {
    const on = (name: SyscallName, handler: Handler): void => {
      const number = syscalls[name];
      if (number !== undefined) this.handlers.set(number, handler);
    };
    on('socket', (call) => this.sockets.create(call));
    on('dup', (call) => this.sockets.duplicate(call, false));
    on('fcntl', (call) => this.sockets.duplicate(call, true));
    for (const name of SEND_CALLS) {
      const isWrite = name === 'write' || name === 'writev';
      on(name, (call) => {
        if (this.sockets.send(call, name)) return true;
        return isWrite && this.files.write(call, name === 'writev');
      });
    }
    for (const name of RECEIVE_CALLS) on(name, (call) => this.sockets.receive(call, name));
    on('getsockopt', (call) => this.options.get(call));
    on('setsockopt', (call) => this.options.set(call));
    this.installFiles(on);
  }

  private installFiles(on: (name: SyscallName, handler: Handler) => void): void {
    const { files } = this;
    on('open', (call) => files.open(call, plainPath(call), call.args[1]!));
    on('openat', (call) => files.open(call, pathAt(call), call.args[2]!));
    on('openat2', (call) => files.openat2(call));
    for (const name of ['stat', 'lstat'] as const) {
      on(name, (call) => files.status(call, plainPath(call), call.args[1]!, 'stat'));
    }
    on('newfstatat', (call) => files.status(call, pathAt(call), call.args[2]!, 'stat'));
    on('statx', (call) => files.status(call, pathAt(call), call.args[4]!, 'statx'));
    on('access', (call) => files.access(call, plainPath(call), call.args[1]!));
    for (const name of ['faccessat', 'faccessat2'] as const) {
      on(name, (call) => files.access(call, pathAt(call), call.args[2]!));
    }
    on('readlink', (call) => files.readlink(call, plainPath(call)));
    on('readlinkat', (call) => files.readlink(call, pathAt(call)));
  }
}
