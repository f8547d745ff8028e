import * as v from 'valibot';
import { isMap, isNode, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { parseAddress } from '../core/address.ts';
import { type DestKey, PROTOCOL, type ServiceKey } from '../core/config.ts';
import type { Arrivals } from './arrivals.ts';
import { parseCapture } from './capture/capture.ts';
import type { ServerModel } from './servers.ts';
import { type FileProblem, parseTrace } from './trace.ts';
import { type Churn, DEFAULT_SERVER, WORKLOAD_DEFAULTS, type Workload } from './workload.ts';
import { type ModelFile, parseServer, type WorkloadFile, workloadSchema } from './workload-schema.ts';

const DEFAULT_KEY = 'default';
const SERVICE = /^(tcp|udp|sctp)\s+(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$|^fwmark\s+(\d+)(\s+ipv6)?$/i;

/** A workload file that was understood. */
export interface ParsedWorkload {
  readonly workload: Workload;
  /** As the file names it; `undefined`: the only one of the rules. */
  readonly service: ServiceKey | undefined;
}

/** A mistake, and the file that it is in: '' for the workload file itself. */
export type WorkloadProblem = FileProblem & { readonly file: string };

/** What is in a trace: text, or the bytes of a capture; or why it cannot be read. */
export type TraceContent = string | Uint8Array | Error;

/**
 * Reads a workload in YAML.
 * @param readTrace the content of a trace by its name in the file
 * @param services those of the rules: if there is one only, a capture is searched for connections to it
 * @returns all mistakes, in the order of the file, if there are any
 */
export function parseWorkload(
  text: string,
  readTrace: (name: string) => TraceContent,
  services: readonly ServiceKey[] = [],
): ParsedWorkload | readonly WorkloadProblem[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const at = (offset: number): { file: string; line: number; column: number } => {
    const { line, col } = lines.linePos(offset);
    return { file: '', line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  if (document.errors.length > 0) {
    return document.errors.map(({ pos, message }) => ({
      ...at(pos[0]),
      message: message.split(/ at line|\n/)[0]!,
    }));
  }
  const place = (path: readonly PropertyKey[], ofKey: boolean): ReturnType<typeof at> =>
    at(offsetOf(document.contents, path, ofKey));
  const parsed = v.safeParse(workloadSchema, document.toJS() ?? {}, { abortPipeEarly: true });
  if (!parsed.success) {
    const found = parsed.issues.map((issue) => {
      const path = (issue.path ?? []).map(({ key }) => key as PropertyKey);
      return { ...place(path, issue.expected === 'never'), message: messageOf(issue) };
    });
    return found.sort((a, b) => a.line - b.line || a.column - b.column);
  }
  return assemble(parsed.output, place, readTrace, services);
}

type Place = (path: readonly PropertyKey[], ofKey: boolean) => { file: string; line: number; column: number };

function assemble(
  file: WorkloadFile,
  place: Place,
  readTrace: (name: string) => TraceContent,
  services: readonly ServiceKey[],
): ParsedWorkload | readonly WorkloadProblem[] {
  const problems: WorkloadProblem[] = [];
  const service = file.service === undefined ? undefined : parseService(file.service);
  if (file.service !== undefined && !service) {
    const message = 'expected a service such as tcp 10.0.0.1:80, udp [2001:db8::1]:53 or fwmark 5';
    problems.push({ ...place(['service'], false), message });
  }
  const each = Object.entries(file.servers ?? {})
    .filter(([name]) => name !== DEFAULT_KEY)
    .map(([name, model]) => ({ name, server: parseServer(name), model: serverModel(model) }));
  for (const { name, server } of each) {
    if (server) continue;
    const message = "expected 'default' or a server as ADDRESS:PORT";
    problems.push({ ...place(['servers', name], true), message });
  }
  const only = services.length === 1 ? services[0] : undefined;
  const arrivals = readArrivals(file, place, readTrace, service ?? only);
  if ('message' in arrivals) problems.push(arrivals);
  if ('message' in arrivals || problems.length > 0) return problems;
  const models = each.flatMap(({ server, model }) => (server ? [{ server, model }] : []));
  return { workload: workloadOf(file, arrivals, models), service };
}

function workloadOf(file: WorkloadFile, arrivals: Arrivals, each: Workload['servers']['each']): Workload {
  const ownDefault = file.servers?.[DEFAULT_KEY];
  return {
    ...WORKLOAD_DEFAULTS,
    durationMs: file.duration ?? Number.POSITIVE_INFINITY,
    connections: file.connections ?? Number.POSITIVE_INFINITY,
    warmupMs: file.warmup,
    model: file.model,
    tableSize: file.tableSize,
    directors: file.directors ?? WORKLOAD_DEFAULTS.directors,
    arrivals,
    serviceTime: file.serviceTime,
    longLived: file.longLived ?? WORKLOAD_DEFAULTS.longLived,
    clients: {
      ...WORKLOAD_DEFAULTS.clients,
      ...file.clients,
      nat: file.clients?.nat ?? WORKLOAD_DEFAULTS.clients.nat,
    },
    servers: {
      default: ownDefault ? serverModel(ownDefault) : DEFAULT_SERVER,
      each,
    },
    churn: file.churn.map(churnOf),
  };
}

function readArrivals(
  { arrivals }: WorkloadFile,
  place: Place,
  readTrace: (name: string) => TraceContent,
  service: ServiceKey | undefined,
): Arrivals | WorkloadProblem {
  if (arrivals.kind !== 'trace') return arrivals;
  const content = readTrace(arrivals.file);
  const problem = (key: 'file' | 'to' | 'work', message: string): WorkloadProblem => {
    return { ...place(['arrivals', key], arrivals[key] !== undefined && key !== 'file'), message };
  };
  if (content instanceof Error) return problem('file', content.message);
  if (typeof content === 'string') {
    const key = arrivals.to ? 'to' : arrivals.work ? 'work' : undefined;
    if (key) return problem(key, `'${key}' is for captures; ${arrivals.file} is none`);
    const records = parseTrace(content);
    return 'message' in records ? { ...records, file: arrivals.file } : { kind: 'trace', records };
  }
  const to = capturedService(arrivals.to, service);
  if (!to) return problem('to', "expected 'to: ADDRESS:PORT', the service that the capture was taken of");
  const captured = parseCapture(content, to, arrivals.work === 'duration');
  if (typeof captured !== 'string') return { kind: 'trace', ...captured };
  return { file: arrivals.file, line: 1, column: 1, message: captured };
}

/** What a capture's connections are to: the service, if need be at another address. */
function capturedService(to: DestKey | undefined, service: ServiceKey | undefined): ServiceKey | undefined {
  if (!to) return service?.fwmark === 0 ? service : undefined;
  const protocol = service?.protocol ?? PROTOCOL.TCP;
  return { protocol, family: to.addr.family, addr: to.addr, port: to.port, fwmark: 0 };
}

function serverModel({ speed, concurrency, discipline, backlog }: ModelFile): ServerModel {
  const places = concurrency ?? (discipline === 'ps' ? 'unlimited' : 1);
  return {
    speed,
    discipline,
    concurrency: places === 'unlimited' ? Number.POSITIVE_INFINITY : places,
    backlog: backlog ?? Number.POSITIVE_INFINITY,
  };
}

function churnOf(event: WorkloadFile['churn'][number]): Churn {
  const { at: atMs, server } = event;
  switch (event.do) {
    case 'add':
    case 'weight':
      return { kind: event.do, atMs, server, weight: event.weight };
    case 'remove':
    case 'drain':
      return { kind: event.do, atMs, server };
    case 'kill': {
      const downMs = event.down ?? Number.POSITIVE_INFINITY;
      return { kind: 'kill', atMs, server, detectMs: event.detected, downMs };
    }
    case 'flap':
      return { kind: 'flap', atMs, server, downMs: event.down, upMs: event.up, times: event.times };
    case 'slow-start':
      return { kind: 'slow-start', atMs, server, weight: event.weight, overMs: event.over };
  }
}

function parseService(text: string): ServiceKey | undefined {
  const found = SERVICE.exec(text.trim());
  if (!found) return undefined;
  const [, protocol, v6, v4, port, mark, ipv6] = found;
  const zero = parseAddress(ipv6 ? '::' : '0.0.0.0')!;
  if (mark !== undefined) {
    return { family: zero.family, protocol: PROTOCOL.TCP, addr: zero, port: 0, fwmark: Number(mark) };
  }
  const addr = parseAddress(v6 ?? v4!);
  if (!addr || Number(port) > 0xffff) return undefined;
  const number = PROTOCOL[protocol!.toUpperCase() as 'TCP' | 'UDP' | 'SCTP'];
  return { family: addr.family, protocol: number, addr, port: Number(port), fwmark: 0 };
}

function messageOf(issue: v.BaseIssue<unknown>): string {
  const key = String(issue.path?.at(-1)?.key ?? '');
  if (issue.expected === 'never') return `unknown key '${key}'`;
  if (issue.received === 'undefined') return `expected '${key}'`;
  if (!issue.message.startsWith('Invalid')) return `${issue.message}; found ${issue.received}`;
  const wanted = (issue.expected ?? '').replaceAll('"', '').replaceAll(/[()]/g, '').replaceAll(' | ', ', ');
  return `expected ${wanted === 'Object' ? 'a mapping' : wanted}; found ${issue.received}`;
}

/** Where in the text a path leads, as far as it does. */
function offsetOf(root: Node | null, path: readonly PropertyKey[], ofKey: boolean): number {
  let node: unknown = root;
  let offset = root?.range?.[0] ?? 0;
  for (const [i, key] of path.entries()) {
    node = childOf(node, key, ofKey && i === path.length - 1);
    if (!isNode(node)) return offset;
    offset = node.range?.[0] ?? offset;
  }
  return offset;
}

function childOf(node: unknown, key: PropertyKey, ofKey: boolean): unknown {
  if (isSeq(node)) return node.items[Number(key)];
  if (!isMap(node)) return undefined;
  const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(key));
  return ofKey ? pair?.key : (pair?.value ?? pair?.key);
}
