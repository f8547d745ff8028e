/** A kind of tunnel to unwrap; `port` is that of UDP. */
export type TunnelSpec =
  | { readonly kind: 'ipip' }
  | { readonly kind: 'gre' }
  | { readonly kind: 'gue'; readonly port: number };

/** Registered for generic UDP encapsulation. */
const DEFAULT_GUE_PORT = 6080;

/**
 * Reads `ipip,gue,gre`; `gue:PORT` for another port than 6080, and again for more ports.
 * @throws RangeError with a line for people
 */
export function parseTunnels(text: string): TunnelSpec[] {
  const tunnels = text.split(',').map(readTunnel);
  const names = tunnels.map(describeTunnel);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new RangeError(`has ${twice} twice`);
  return tunnels;
}

export const describeTunnel = (tunnel: TunnelSpec): string =>
  tunnel.kind === 'gue' ? `gue:${tunnel.port}` : tunnel.kind;

function readTunnel(text: string): TunnelSpec {
  if (text === 'ipip' || text === 'gre') return { kind: text };
  const [, digits] = /^gue(?::(\d{1,5}))?$/.exec(text) ?? [undefined, '0'];
  const port = digits === undefined ? DEFAULT_GUE_PORT : Number(digits);
  if (port >= 1 && port <= 65_535) return { kind: 'gue', port };
  throw new RangeError(`wants ipip, gue, gue:PORT or gre, joined by commas, not '${text}'`);
}
