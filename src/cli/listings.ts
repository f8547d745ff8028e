import type { Address } from '../core/address.ts';
import type { DirectorPort, TextSlice } from '../core/commands.ts';
import type { ServiceEntry } from '../core/config.ts';
import { IpvsError } from '../core/errors.ts';
import { type Labels, NUMERIC_LABELS, namedLabels } from './labels.ts';
import { type ListedService, sortListing } from './listing-order.ts';
import { generalText, refusalText } from './messages.ts';
import type { Names } from './names.ts';
import {
  type ConnectionLine,
  parseConnectionLine,
  printConnection,
  printConnectionHeader,
} from './print-connections.ts';
import { printRules } from './print-rules.ts';
import { printDaemons, printTimeouts } from './print-settings.ts';
import { printTable, printVersionLine } from './print-table.ts';
import type { Request } from './request.ts';
import { EXIT } from './usage-error.ts';

/** Where output goes. */
export interface Output {
  stdout(text: string): void;
  stderr(text: string): void;
}

export type ListRequest = Extract<
  Request,
  { kind: 'list-table' | 'list-connections' | 'list-timeouts' | 'list-daemons' | 'save' }
>;

const CONNECTIONS_FILE = '/proc/net/ip_vs_conn';

/** Asks the director and prints what was asked for. Resolves with the exit status. */
export async function runListing(
  request: ListRequest,
  director: DirectorPort,
  names: Names,
  output: Output,
): Promise<number> {
  switch (request.kind) {
    case 'list-table':
      return request.service
        ? listService(request, director, names, output)
        : listServices(request, director, names, output);
    case 'list-connections':
      return listConnections(request, director, names, output);
    case 'list-timeouts':
      return printAnswer(director.ask({ query: 'timeouts' }), printTimeouts, output);
    case 'list-daemons':
      return printAnswer(director.ask({ query: 'daemons' }), printDaemons, output);
    case 'save':
      return save(request, director, names, output);
  }
}

type TableRequest = Extract<ListRequest, { kind: 'list-table' }>;

async function listServices(
  { options }: TableRequest,
  director: DirectorPort,
  names: Names,
  output: Output,
): Promise<number> {
  const [info, listing] = await Promise.all([
    director.ask({ query: 'info' }),
    readServices(director, options.sorted, output),
  ]);
  output.stdout(printVersionLine(info));
  if (!listing) return EXIT.LIST_FAILED;
  output.stdout(printTable(listing, options, await labelsFor(listing, options.numeric, names)));
  return EXIT.OK;
}

async function listService(
  { service: key, options }: TableRequest,
  director: DirectorPort,
  names: Names,
  output: Output,
): Promise<number> {
  const service = await refusalOf(director.ask({ query: 'service', service: key! }));
  if (service instanceof IpvsError) {
    output.stderr(refusalText('list', service, true));
    return EXIT.LIST_FAILED;
  }
  const listed = await withDests(director, service);
  if (!listed) {
    output.stderr('No such service\n');
    return EXIT.LIST_FAILED;
  }
  const listing = options.sorted ? sortListing([listed]) : [listed];
  output.stdout(printTable(listing, options, await labelsFor(listing, options.numeric, names)));
  return EXIT.OK;
}

async function save(
  { numeric }: Extract<ListRequest, { kind: 'save' }>,
  director: DirectorPort,
  names: Names,
  output: Output,
): Promise<number> {
  const listing = await readServices(director, true, output);
  if (!listing) return EXIT.LIST_FAILED;
  output.stdout(printRules(listing, await labelsFor(listing, numeric, names)));
  return EXIT.OK;
}

async function listConnections(
  { numeric, withEngine }: Extract<ListRequest, { kind: 'list-connections' }>,
  director: DirectorPort,
  names: Names,
  output: Output,
): Promise<number> {
  const first = await refusalOf(director.ask({ query: 'proc', name: 'ip_vs_conn', from: 0 }));
  if (first instanceof IpvsError) {
    output.stderr(`cannot open file ${CONNECTIONS_FILE}\n`);
    return EXIT.LIST_FAILED;
  }
  const firstLine = first.text.indexOf('\n') + 1;
  if (firstLine === 0) {
    output.stderr(`unexpected input from ${CONNECTIONS_FILE}\n`);
    return EXIT.LIST_FAILED;
  }
  output.stdout(printConnectionHeader(withEngine));
  let slice: TextSlice = { ...first, text: first.text.slice(firstLine) };
  for (;;) {
    // The director makes the next slice while this one is printed.
    const following: Promise<TextSlice> | undefined =
      slice.next < 0 ? undefined : director.ask({ query: 'proc', name: 'ip_vs_conn', from: slice.next });
    output.stdout(await printSlice(slice.text, withEngine, numeric ? undefined : names));
    if (!following) return EXIT.OK;
    slice = await following;
  }
}

/** @param names undefined: numbers only */
async function printSlice(text: string, withEngine: boolean, names: Names | undefined): Promise<string> {
  const entries: ConnectionLine[] = [];
  for (const line of text.split('\n')) {
    const entry = parseConnectionLine(line);
    if (entry) entries.push(entry);
  }
  const labels = names ? await connectionLabels(names, entries) : NUMERIC_LABELS;
  let printed = '';
  for (const entry of entries) printed += printConnection(entry, withEngine, labels);
  return printed;
}

function connectionLabels(names: Names, entries: readonly ConnectionLine[]): Promise<Labels> {
  const addresses = entries.flatMap((entry) => [entry.client.addr, entry.virtual.addr, entry.dest.addr]);
  return namedLabels(names, addresses);
}

/** A refused question is answered by the status alone. */
async function printAnswer<T>(
  answer: Promise<T>,
  print: (answer: T) => string,
  output: Output,
): Promise<number> {
  const told = await refusalOf(answer);
  if (told instanceof IpvsError) return EXIT.LIST_FAILED;
  output.stdout(print(told));
  return EXIT.OK;
}

async function readServices(
  director: DirectorPort,
  sorted: boolean,
  output: Output,
): Promise<ListedService[] | undefined> {
  const services = await refusalOf(director.ask({ query: 'services' }));
  if (services instanceof IpvsError) {
    output.stderr(`${generalText(services.errno)}\n`);
    return undefined;
  }
  const found = await Promise.all(services.map((service) => withDests(director, service)));
  const listing = found.filter((listed) => listed !== undefined);
  return sorted ? sortListing(listing) : listing;
}

/** @returns `undefined` where the servers cannot be asked for: ipvsadm then leaves the service out. */
async function withDests(director: DirectorPort, service: ServiceEntry): Promise<ListedService | undefined> {
  const dests = await refusalOf(director.ask({ query: 'dests', service }));
  return dests instanceof IpvsError ? undefined : { service, dests };
}

async function labelsFor(listing: readonly ListedService[], numeric: boolean, names: Names): Promise<Labels> {
  if (numeric) return NUMERIC_LABELS;
  const addresses: Address[] = listing.flatMap(({ service, dests }) => [
    ...(service.fwmark === 0 ? [service.addr] : []),
    ...dests.map((dest) => dest.addr),
  ]);
  return namedLabels(names, addresses);
}

/** Turns a refusal into a value; anything else that goes wrong is thrown on. */
async function refusalOf<T>(answer: Promise<T>): Promise<T | IpvsError> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof IpvsError) return error;
    throw error;
  }
}
