import { readFileSync } from 'node:fs';
import { DeviceError } from './net/device-error.ts';
import { Decapsulator } from './net/packet/decap/decapsulator.ts';
import { kernelTunnels } from './net/packet/decap/kernel-tunnels.ts';
import { describeTunnel, parseTunnels, type TunnelSpec } from './net/packet/decap/tunnel-list.ts';
import { expectPositionals, parseVerbArgs, UsageError } from './verbs/arguments.ts';
import type { Terminal } from './verbs/terminal.ts';

const DEFAULT_DEVICE = 'decap0';
const DEFAULT_MTU = 1480;
/** The least with which IPv6 works, and the most of a device. */
const MIN_MTU = 1280;
const MAX_MTU = 65_535;

/**
 * `uipvs decap --tunnel ipip,gue[:PORT],gre [--dev NAME] [--mtu N]`: unwraps packets on a real server until TERM or INT.
 * @returns the exit status: 0 after a signal, 1 if it could not start or lost its device
 */
export async function runDecap(args: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals } = parseVerbArgs('decap', args, {
    tunnel: { type: 'string' },
    dev: { type: 'string', default: DEFAULT_DEVICE },
    mtu: { type: 'string', default: String(DEFAULT_MTU) },
  });
  expectPositionals('decap', positionals, 0);
  const tunnels = readTunnels(values.tunnel);
  const device = readDevice(values.dev);
  const mtu = readMtu(values.mtu);
  const signal = firstSignal();
  try {
    const decapsulator = await Decapsulator.open({ tunnels, device, mtu });
    for (const name of kernelTunnels(tunnels, readFileSync('/proc/net/dev', 'utf8'))) {
      terminal.complain(
        `decap: the kernel has ${name} of its own: packets may arrive twice, or be refused by it`,
      );
    }
    await terminal.print(`${device}: ${tunnels.map(describeTunnel).join(', ')}\n`);
    const lost = await Promise.race([signal, decapsulator.lost]);
    decapsulator.close();
    await terminal.print(summary(decapsulator));
    if (lost === undefined) return 0;
    terminal.complain(`decap: ${lost}`);
    return 1;
  } catch (error) {
    if (!(error instanceof DeviceError)) throw error;
    terminal.complain(`decap: ${error.message}`);
    return 1;
  }
}

function readTunnels(text: string | undefined): TunnelSpec[] {
  if (text === undefined) throw new UsageError("decap: wants --tunnel; see 'uipvs help decap'");
  try {
    return parseTunnels(text);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UsageError(`decap: --tunnel ${error.message}`);
  }
}

/** Names that the kernel takes as they are. */
function readDevice(text: string): string {
  if (/^[\w.-]{1,15}$/.test(text) && !/^\.\.?$/.test(text)) return text;
  throw new UsageError(`decap: --dev wants up to 15 letters, digits, '.', '-' and '_', not '${text}'`);
}

function readMtu(text: string): number {
  const mtu = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (mtu >= MIN_MTU && mtu <= MAX_MTU) return mtu;
  throw new UsageError(`decap: --mtu wants a number from ${MIN_MTU} to ${MAX_MTU}, not '${text}'`);
}

function summary({ unwrapped, refused }: Decapsulator): string {
  const reasons = Object.entries(refused).map(([reason, count]) => `, ${count} ${reason}`);
  return `${unwrapped} packets unwrapped${reasons.join('')}\n`;
}

function firstSignal(): Promise<undefined> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(undefined));
  });
}
