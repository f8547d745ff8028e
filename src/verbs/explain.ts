import { connectToDirector } from '../control/client.ts';
import { AF_INET, ipv4, ipv6 } from '../core/address.ts';
import { type DestKey, PROTOCOL } from '../core/config.ts';
import { IpvsError } from '../core/errors.ts';
import type { ExplainRequest, Explanation } from '../core/explanation.ts';
import type { Flow } from '../core/flow.ts';
import { randomStream, STREAM } from '../sim/random.ts';
import { makeDirector } from '../sim/setup.ts';
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

interface Request extends ExplainRequest {
  /** `undefined`: the director that runs. */
  readonly rules: string | undefined;
  readonly asJson: boolean;
}

/** `uipvs explain [--rules FILE] -t VIP:PORT --from ADDRESS:PORT`: which server, and why. */
export async function runExplain(args: readonly string[], terminal: Terminal): Promise<number> {
  const request = parseRequest(args);
  try {
    const explanations = await (request.rules === undefined
      ? askDirector(request)
      : askRules(request.rules, request));
    const text = request.asJson
      ? `${JSON.stringify(explanations, undefined, 1)}\n`
      : explanations.map(explanationText).join('\n');
    await terminal.print(text);
    return explanations.every(({ server }) => server !== '') ? 0 : 1;
  } catch (error) {
    if (!(error instanceof InputError || error instanceof IpvsError)) throw error;
    terminal.complain(`explain: ${error.message}`);
    return 1;
  }
}

async function askDirector({ flow, times, without }: ExplainRequest): Promise<readonly Explanation[]> {
  const director = await connectToDirector({ autostart: false });
  try {
    return await director.ask({ query: 'explain', request: { flow, times, without } });
  } finally {
    director.close();
  }
}

/** @throws InputError */
async function askRules(file: string, request: ExplainRequest): Promise<readonly Explanation[]> {
  const commands = await readRules(file);
  const director = makeDirector(commands, schedulers, randomStream(1, 0, STREAM.DIRECTORS), 1);
  try {
    return director.ask({ query: 'explain', request }, 0);
  } catch (error) {
    throw error instanceof IpvsError ? new InputError(`${file}: ${error.message}`) : error;
  }
}

function parseRequest(args: readonly string[]): Request {
  const { values, positionals } = parseVerbArgs('explain', args, OPTIONS);
  expectPositionals('explain', positionals, 0);
  const { rules, from } = values;
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

function explanationText(explanation: Explanation): string {
  const { client, server, reason, scheduler, state, candidates, persistentSec } = explanation;
  const why = {
    scheduler: `chosen by ${scheduler}`,
    template: `kept there by the client's template (persistent ${persistentSec} s)`,
    connection: 'it is an open connection',
    'server deleted': 'it is an open connection, whose server was deleted: its packets are dropped',
    'nobody may be chosen': 'nobody may be chosen',
    'not scheduled': 'the service does not schedule it',
  }[reason];
  const lines = [`${client} -> ${server || 'refused'}: ${why}`];
  if (state !== '' && (reason === 'scheduler' || reason === 'nobody may be chosen')) lines.push(`  ${state}`);
  for (const each of candidates) {
    const load = `weight ${each.weight}, active ${each.active}, inactive ${each.inactive}, overhead ${each.overhead}`;
    const mark = each.server === server ? '*' : ' ';
    lines.push(
      `  ${mark} ${each.server}  ${load}${each.excluded === '' ? '' : `  excluded: ${each.excluded}`}`,
    );
  }
  return `${lines.join('\n')}\n`;
}
