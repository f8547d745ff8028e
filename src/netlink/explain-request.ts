import { type Address, AF_INET, AF_INET6 } from '../core/address.ts';
import type { DestKey } from '../core/config.ts';
import type { ExplainRequest } from '../core/explanation.ts';
import type { Flow } from '../core/flow.ts';

const MOST_TIMES = 65_536;
const MOST_WITHOUT = 4096;

/** Reads a request as the client wrote it. @returns `undefined` if it is none */
export function readExplainRequest(text: string): ExplainRequest | undefined {
  const form = parsed(text);
  if (!isRecord(form)) return undefined;
  const { times } = form;
  const flow = readFlow(form['flow']);
  const without = Array.isArray(form['without']) ? form['without'].map(readDest) : undefined;
  if (!flow || !isWhole(times, 1, MOST_TIMES) || !without || without.length > MOST_WITHOUT) return undefined;
  const servers = without.filter((each) => each !== undefined);
  return servers.length === without.length ? { flow, times, without: servers } : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function readFlow(form: unknown): Flow | undefined {
  if (!isRecord(form)) return undefined;
  const { protocol, cport, vport, fwmark } = form;
  const caddr = readAddress(form['caddr']);
  const vaddr = readAddress(form['vaddr']);
  if (!caddr || !vaddr || caddr.family !== vaddr.family) return undefined;
  if (!isWhole(protocol, 0, 255) || !isPort(cport) || !isPort(vport)) return undefined;
  return isWhole(fwmark, 0, 0xffffffff) ? { protocol, caddr, cport, vaddr, vport, fwmark } : undefined;
}

function readDest(form: unknown): DestKey | undefined {
  if (!isRecord(form)) return undefined;
  const addr = readAddress(form['addr']);
  const { port } = form;
  return addr && isPort(port) ? { addr, port } : undefined;
}

function readAddress(form: unknown): Address | undefined {
  if (!isRecord(form) || !Array.isArray(form['words']) || form['words'].length !== 4) return undefined;
  const { family } = form;
  const [a, b, c, d] = form['words'].map(Number);
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  return { family, words: [a! | 0, b! | 0, c! | 0, d! | 0] };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

const isWhole = (value: unknown, least: number, most: number): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most;

const isPort = (value: unknown): value is number => isWhole(value, 0, 0xffff);
