import { accessSync, constants } from 'node:fs';
import { type Finished, run, until } from './processes.ts';
import { findProgram, isRoot } from './programs.ts';

/**
 * Network namespaces of one test file, made at its start and deleted at its end. Their names carry the process id, so
 * that runs don't meet.
 */
export class NetworkNamespaces {
  private readonly made: string[] = [];

  /** The name under which `ip netns` knows a namespace. */
  name(short: string): string {
    return `uipvs-${process.pid}-${short}`;
  }

  /** Makes namespaces whose loopback interface is up and that take packets from any interface. */
  async add(...shorts: readonly string[]): Promise<void> {
    for (const short of shorts) {
      await ok(['ip', 'netns', 'add', this.name(short)]);
      this.made.push(short);
      await this.ip(short, 'link set lo up');
      await this.sysctl(short, 'net.ipv4.conf.all.rp_filter=0', 'net.ipv4.conf.default.rp_filter=0');
      // Addresses can be used at once.
      await this.sysctl(short, 'net.ipv6.conf.all.accept_dad=0', 'net.ipv6.conf.default.accept_dad=0');
    }
  }

  /** Joins two namespaces by a pair of veth devices with the given addresses, and brings these up. */
  async join(a: End, b: End): Promise<void> {
    const [from, to] = [a, b].map(({ namespace, device }) => `${device} netns ${this.name(namespace)}`);
    await ok(['ip', 'link', 'add', ...`${from} type veth peer name ${to}`.split(' ')]);
    for (const { namespace, device, addresses } of [a, b]) {
      for (const address of addresses) await this.ip(namespace, `addr add ${address} dev ${device}`);
      await this.ip(namespace, `link set ${device} up`);
    }
  }

  /** Waits until devices have a carrier and a link-local address that can be used. */
  async linksUp(namespace: string, ...devices: readonly string[]): Promise<void> {
    await until(`links of ${namespace}: ${devices.join(' ')}`, async () => {
      const stdout = await this.ip(namespace, '-o -6 addr show scope link');
      const usable = stdout.split('\n').filter((line) => !line.includes('tentative'));
      return devices.every((device) => usable.some((line) => line.includes(` ${device} `)));
    });
  }

  /** Runs `ip` in a namespace; the words as in a shell without quotes. */
  async ip(namespace: string, words: string): Promise<string> {
    return ok(['ip', '-n', this.name(namespace), ...words.split(' ')]);
  }

  async sysctl(namespace: string, ...settings: readonly string[]): Promise<void> {
    await ok(this.inside(namespace, 'sysctl', '-q', '-w', ...settings));
  }

  /** @returns the command that runs another one in a namespace */
  inside(namespace: string, ...command: readonly string[]): string[] {
    return ['ip', 'netns', 'exec', this.name(namespace), ...command];
  }

  run(namespace: string, command: readonly string[], input = '', timeoutMs = 20_000): Promise<Finished> {
    return run(this.inside(namespace, ...command), { input, timeoutMs });
  }

  async remove(): Promise<void> {
    for (const short of this.made.splice(0)) await run(['ip', 'netns', 'del', this.name(short)]);
  }
}

export interface End {
  readonly namespace: string;
  readonly device: string;
  /** With prefix lengths. */
  readonly addresses: readonly string[];
}

/** Whether tests with packets can't be run here; says why. */
export function lacksPackets(): boolean {
  const reason = missing();
  if (reason !== undefined) process.stderr.write(`skipped: ${reason}\n`);
  return reason !== undefined;
}

function missing(): string | undefined {
  if (!isRoot) return 'not root';
  if (findProgram('ip') === undefined) return 'no ip on this machine';
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK);
    return undefined;
  } catch {
    return 'no usable /dev/net/tun';
  }
}

async function ok(command: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await run(command);
  if (status !== 0) throw new Error(`${command.join(' ')}: status ${status}: ${stderr}`);
  return stdout;
}
