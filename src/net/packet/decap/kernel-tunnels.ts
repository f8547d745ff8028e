import type { TunnelSpec } from './tunnel-list.ts';

/** The devices that the kernel's own modules for tunnels make in every network namespace. */
const DEVICES: Readonly<Record<TunnelSpec['kind'], readonly string[]>> = {
  ipip: ['tunl0', 'sit0', 'ip6tnl0'],
  gre: ['gre0', 'ip6gre0'],
  gue: [],
};

/**
 * @param text of /proc/net/dev
 * @returns devices that show that the kernel unwraps, or refuses, these packets by itself
 */
export function kernelTunnels(tunnels: readonly TunnelSpec[], text: string): string[] {
  const present = new Set(text.split('\n').map((line) => line.split(':')[0]!.trim()));
  return tunnels.flatMap(({ kind }) => DEVICES[kind]).filter((device) => present.has(device));
}
