import { isIP } from 'node:net';

const LOOPBACK = '127.0.0.1';
const UNIX_PREFIX = 'unix:';
const MAX_PORT = 65535;

/** Where metrics are served. Port 0 stands for any free one. */
export type ListenAddress = { readonly host: string; readonly port: number } | { readonly path: string };

/** Reads `PORT` (of the loopback interface), `ADDR:PORT`, `[IPV6]:PORT` or `unix:PATH`; `undefined` for anything else. */
export function parseListenAddress(text: string): ListenAddress | undefined {
  if (text.startsWith(UNIX_PREFIX)) {
    const path = text.slice(UNIX_PREFIX.length);
    return path === '' || path.includes('\0') ? undefined : { path };
  }
  const [, bracketed, plain, digits] = /^(?:(?:\[([^\]]*)\]|([^:]*)):)?(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > MAX_PORT) return undefined;
  if (bracketed !== undefined) return isIP(bracketed) === 6 ? { host: bracketed, port } : undefined;
  if (plain !== undefined) return isIP(plain) === 4 ? { host: plain, port } : undefined;
  return { host: LOOPBACK, port };
}

/** Prints it as it is written on the command line. */
export function formatListenAddress(address: ListenAddress): string {
  if ('path' in address) return UNIX_PREFIX + address.path;
  return isIP(address.host) === 6 ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}
