import { AF_INET, ipv4, ipv6 } from '../core/address.ts';
import { type DestKey, PROTOCOL } from '../core/config.ts';
import type { Flow } from '../core/flow.ts';
import type { Service } from '../core/service.ts';
import { type Explanation, explainNext } from '../sim/explain.ts';
import { randomStream, STREAM } from '../sim/random.ts';
import { makeDirector, sameServer, serverName } from '../sim/setup.ts';
import { schedulers } from '../sim/simulate.ts';
import { parseServer } from '../sim/workload-schema.ts';
import { expectPositionals, parseVerbArgs, UsageError } from './arguments.ts';
import { InputError, readRules } from './laboratory/rules-file.ts';
import type { Terminal } from './terminal.ts';

const OPTIONS = {
  rules: { type: 'string' },
  'tcp-service': { type: 'string', short: 't' },
  'udp-service': { type: 'string', short: 'u' },
  'fwmark-service': { type: 'string', short: 'f' },
  from: { type: 'string' },
  times: { type: 'string', default: '1' },
  without: { type: 'string', multiple: true },
  json: { type: 'boolean', default: false },
} as const;

const MOST_TIMES = 60_000;
/** Where packets of a fwmark service are sent to, as an example. */
const MARKED_PORT = 80;
const MARKED_V4 = ipv4(0xc0000201);
const MARKED_V6 = ipv6(0x20010db8, 0, 0xffff, 1);

interface Request {
  readonly rules: string;
  readonly flow: Flow;
  readonly times: number;
  readonly without: readonly DestKey[];
  readonly asJson: boolean;
}

/** `uipvs explain --rules FILE -t VIP:PORT --from ADDRESS:PORT`: which server, and why. */
export async function runExplain(args: readonly string[], terminal: Terminal): Promise<number> {
  const request = parseRequest(args);
  const { flow, times } = request;
  try {
    const commands = await readRules(request.rules);
    const director = makeDirector(commands, schedulers, randomStream(1, 0, STREAM.DIRECTORS), times * 2);
    const service = director.config.services.lookup(flow.protocol, flow.vaddr, flow.vport, flow.fwmark);
    if (!service) throw new InputError(`${request.rules}: the rules have no such service`);
    for (const key of request.without) {
      if (!service.dests.some((dest) => sameServer(dest, key))) {
        throw new InputError(`${request.rules}: the service has no server ${serverName(key)}`);
      }
      director.apply({ op: 'delete-dest', service, dest: key }, 0);
    }
    const explanations = Array.from({ length: times }, (_, i) => {
      return explainNext(director, service, { ...flow, cport: (flow.cport + i) & 0xffff }, 0);
    });
    const text = request.asJson
      ? `${JSON.stringify(explanations, undefined, 1)}\n`
      : explanations.map((each) => explanationText(each, service)).join('\n');
    await terminal.print(text);
    return explanations.every(({ server }) => server !== '') ? 0 : 1;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    terminal.complain(`explain: ${error.message}`);
    return 1;
  }
}

function parseRequest(args: readonly string[]): Request {
  const { values, positionals } = parseVerbArgs('explain', args, OPTIONS);
  expectPositionals('explain', positionals, 0);
  const { rules, from } = values;
  if (rules === undefined) throw new UsageError('explain: --rules FILE is missing');
  if (from === undefined) throw new UsageError('explain: --from ADDRESS:PORT is missing');
  const client = endpoint('from', from);
  const times = Number(values.times);
  if (!/^\d+$/.test(values.times) || times < 1 || times > MOST_TIMES) {
    throw new UsageError(`explain: --times: expected a whole number from 1 to ${MOST_TIMES}`);
  }
  return {
    rules,
    flow: flowOf(client, values['tcp-service'], values['udp-service'], values['fwmark-service']),
    times,
    without: (values.without ?? []).map((text) => endpoint('without', text)),
    asJson: values.json,
  };
}

function flowOf(
  { addr: caddr, port: cport }: DestKey,
  tcp: string | undefined,
  udp: string | undefined,
  mark: string | undefined,
): Flow {
  if ([tcp, udp, mark].filter((each) => each !== undefined).length !== 1) {
    throw new UsageError('explain: give one of -t, -u and -f');
  }
  if (mark !== undefined) {
    if (!/^[1-9]\d{0,9}$/.test(mark)) throw new UsageError('explain: -f: expected a mark from 1 up');
    const vaddr = caddr.family === AF_INET ? MARKED_V4 : MARKED_V6;
    return { protocol: PROTOCOL.TCP, caddr, cport, vaddr, vport: MARKED_PORT, fwmark: Number(mark) };
  }
  const { addr: vaddr, port: vport } = endpoint(tcp === undefined ? 'u' : 't', tcp ?? udp!);
  if (vaddr.family !== caddr.family) throw new UsageError('explain: client and service are of two families');
  return { protocol: tcp === undefined ? PROTOCOL.UDP : PROTOCOL.TCP, caddr, cport, vaddr, vport, fwmark: 0 };
}

function endpoint(option: string, text: string): DestKey {
  const found = parseServer(text);
  if (found) return found;
  const dashes = option.length === 1 ? '-' : '--';
  throw new UsageError(`explain: ${dashes}${option}: expected ADDRESS:PORT; found '${text}'`);
}

function explanationText(
  { client, server, reason, scheduler, state, candidates }: Explanation,
  service: Service,
): string {
  const why = {
    scheduler: `chosen by ${scheduler}`,
    template: `kept there by the client's template (persistent ${service.timeoutSec} s)`,
    'nobody may be chosen': 'nobody may be chosen',
  }[reason];
  const lines = [`${client} -> ${server || 'refused'}: ${why}`];
  if (state !== '' && reason !== 'template') lines.push(`  ${state}`);
  for (const each of candidates) {
    const load = `weight ${each.weight}, active ${each.active}, inactive ${each.inactive}, overhead ${each.overhead}`;
    const mark = each.server === server ? '*' : ' ';
    lines.push(
      `  ${mark} ${each.server}  ${load}${each.excluded === '' ? '' : `  excluded: ${each.excluded}`}`,
    );
  }
  return `${lines.join('\n')}\n`;
}
