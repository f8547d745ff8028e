import {
  type Address,
  AF_INET,
  AF_INET6,
  type Family,
  formatAddress,
  parseAddress,
} from '../core/address.ts';
import type { Command } from '../core/commands.ts';
import type {
  DaemonConfig,
  DestConfig,
  DestKey,
  ServiceConfig,
  ServiceKey,
  Timeouts,
} from '../core/config.ts';

/** A text that is not a command as formatCommand writes it. */
export class CommandFormatError extends Error {
  override readonly name = 'CommandFormatError';
}

/** One line of JSON without a newline; addresses are text, so that people can read it. */
export function formatCommand(command: Command): string {
  return JSON.stringify(command, (_key, value: unknown) => (isAddress(value) ? formatAddress(value) : value));
}

/** @throws CommandFormatError */
export function parseCommand(text: string): Command {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new CommandFormatError('not JSON');
  }
  const fields = new Fields(value, 'command');
  const op = fields.text('op');
  const read = READERS[op as Command['op']];
  if (!Object.hasOwn(READERS, op)) throw new CommandFormatError(`unknown op ${JSON.stringify(op)}`);
  return read(fields);
}

type Readers = { readonly [Op in Command['op']]: (fields: Fields) => Command & { readonly op: Op } };

const READERS: Readers = {
  'add-service': (from) => ({ op: 'add-service', ...serviceChange(from) }),
  'edit-service': (from) => ({ op: 'edit-service', ...serviceChange(from) }),
  'delete-service': (from) => ({ op: 'delete-service', service: serviceKey(from.fields('service')) }),
  'add-dest': (from) => ({ op: 'add-dest', ...destChange(from) }),
  'edit-dest': (from) => ({ op: 'edit-dest', ...destChange(from) }),
  'delete-dest': (from) => ({
    op: 'delete-dest',
    service: serviceKey(from.fields('service')),
    dest: from.has('dest') ? destKey(from.fields('dest')) : undefined,
  }),
  flush: () => ({ op: 'flush' }),
  zero: (from) => ({
    op: 'zero',
    service: from.has('service') ? serviceKey(from.fields('service')) : undefined,
  }),
  'set-timeouts': (from) => ({ op: 'set-timeouts', timeouts: timeouts(from.fields('timeouts')) }),
  'start-daemon': (from) => ({ op: 'start-daemon', daemon: daemon(from.fields('daemon')) }),
  'stop-daemon': (from) => ({ op: 'stop-daemon', state: from.integer('state') }),
  'set-sysctl': (from) => ({ op: 'set-sysctl', name: from.text('name'), value: from.text('value') }),
};

const serviceChange = (from: Fields): { service: ServiceConfig; flagsMask: number } => ({
  service: serviceConfig(from.fields('service')),
  flagsMask: from.integer('flagsMask'),
});

const destChange = (from: Fields): { service: ServiceKey; dest: DestConfig | undefined } => ({
  service: serviceKey(from.fields('service')),
  dest: from.has('dest') ? destConfig(from.fields('dest')) : undefined,
});

const serviceKey = (from: Fields): ServiceKey => ({
  family: from.family('family'),
  protocol: from.integer('protocol'),
  addr: from.address('addr'),
  port: from.integer('port'),
  fwmark: from.integer('fwmark'),
});

const serviceConfig = (from: Fields): ServiceConfig => ({
  ...serviceKey(from),
  scheduler: from.text('scheduler'),
  flags: from.integer('flags'),
  timeoutSec: from.integer('timeoutSec'),
  netmask: from.integer('netmask'),
  pe: from.text('pe'),
});

const destKey = (from: Fields): DestKey => ({ addr: from.address('addr'), port: from.integer('port') });

const destConfig = (from: Fields): DestConfig => ({
  ...destKey(from),
  weight: from.integer('weight'),
  method: from.integer('method'),
  upperThreshold: from.integer('upperThreshold'),
  lowerThreshold: from.integer('lowerThreshold'),
  tunnelType: from.integer('tunnelType'),
  tunnelPort: from.integer('tunnelPort'),
  tunnelFlags: from.integer('tunnelFlags'),
});

const timeouts = (from: Fields): Timeouts => ({
  tcpSec: from.integer('tcpSec'),
  tcpFinSec: from.integer('tcpFinSec'),
  udpSec: from.integer('udpSec'),
});

const daemon = (from: Fields): DaemonConfig => ({
  state: from.integer('state'),
  interface: from.text('interface'),
  syncId: from.integer('syncId'),
  maxLen: from.integer('maxLen'),
  group: from.has('group') ? from.address('group') : undefined,
  port: from.integer('port'),
  ttl: from.integer('ttl'),
});

/** The fields of a parsed JSON object, read by the type they must have. */
class Fields {
  private readonly values: ReadonlyMap<string, unknown>;
  private readonly what: string;

  constructor(value: unknown, what: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new CommandFormatError(`${what} is not an object`);
    }
    this.values = new Map(Object.entries(value));
    this.what = what;
  }

  has(key: string): boolean {
    return this.values.has(key);
  }

  fields(key: string): Fields {
    return new Fields(this.values.get(key), key);
  }

  text(key: string): string {
    const value = this.values.get(key);
    if (typeof value !== 'string') throw this.wrong(key, 'a text');
    return value;
  }

  integer(key: string): number {
    const value = this.values.get(key);
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw this.wrong(key, 'an integer');
    return value;
  }

  family(key: string): Family {
    const value = this.integer(key);
    if (value !== AF_INET && value !== AF_INET6) throw this.wrong(key, 'an address family');
    return value;
  }

  address(key: string): Address {
    const address = parseAddress(this.text(key));
    if (!address) throw this.wrong(key, 'an address');
    return address;
  }

  private wrong(key: string, wanted: string): CommandFormatError {
    return new CommandFormatError(`${this.what}.${key} is not ${wanted}`);
  }
}

function isAddress(value: unknown): value is Address {
  return typeof value === 'object' && value !== null && 'words' in value && 'family' in value;
}
