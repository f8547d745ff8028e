import { AF_INET, isUnspecified } from '../core/address.ts';
import type { Command, DirectorPort } from '../core/commands.ts';
import { PROTOCOL, type ServiceKey } from '../core/config.ts';
import { E } from './abi.ts';
import {
  DEST_ENTRY_LEN,
  DESTS_HEAD_LEN,
  GET,
  INFO_LEN,
  SERVICE_ENTRY_LEN,
  SERVICE_LEN,
  SERVICES_HEAD_LEN,
  SET,
} from './sockopt-abi.ts';
import {
  daemonsBytes,
  destEntry,
  readDaemon,
  readDest,
  readKey,
  readService,
  readTimeouts,
  serviceEntry,
  timeoutsBytes,
} from './sockopt-structs.ts';

const ALL_FLAGS = 0xffffffff;
const KEY_LEN = 16;
const PROTOCOLS: readonly number[] = [PROTOCOL.TCP, PROTOCOL.UDP, PROTOCOL.SCTP];

/**
 * The change that a program asks for by setsockopt().
 * @param option offset from the first option of IPVS
 * @param bytes of the length that the option has
 * @returns -errno for what the kernel refuses before it looks at its tables
 */
export function commandOf(option: number, bytes: Buffer): Command | number {
  switch (option) {
    case SET.FLUSH:
      return { op: 'flush' };
    case SET.TIMEOUT:
      return { op: 'set-timeouts', timeouts: readTimeouts(bytes) };
    case SET.STARTDAEMON:
      return { op: 'start-daemon', daemon: readDaemon(bytes) };
    case SET.STOPDAEMON:
      return { op: 'stop-daemon', state: readDaemon(bytes).state };
    default:
      return serviceCommand(option, bytes);
  }
}

function serviceCommand(option: number, bytes: Buffer): Command | number {
  const service = readService(bytes);
  const key = readKey(bytes);
  if (option === SET.ZERO && key.fwmark === 0 && isUnspecified(key.addr) && key.port === 0) {
    return { op: 'zero', service: undefined };
  }
  if (!service) return -E.EINVAL;
  if (key.fwmark === 0 && !PROTOCOLS.includes(key.protocol)) return -E.EFAULT;
  const dest = bytes.length > SERVICE_LEN ? readDest(bytes.subarray(SERVICE_LEN)) : undefined;
  switch (option) {
    case SET.ADD:
      return { op: 'add-service', service, flagsMask: ALL_FLAGS };
    case SET.EDIT:
      return { op: 'edit-service', service, flagsMask: ALL_FLAGS };
    case SET.DEL:
      return { op: 'delete-service', service: key };
    case SET.ZERO:
      return { op: 'zero', service: key };
    case SET.ADDDEST:
      return { op: 'add-dest', service: key, dest };
    case SET.EDITDEST:
      return { op: 'edit-dest', service: key, dest };
    case SET.DELDEST:
      return { op: 'delete-dest', service: key, dest };
    default:
      return -E.EINVAL;
  }
}

/**
 * What a program gets by getsockopt().
 * @param given what lies in its buffer, all of its length
 * @returns the bytes to write from the start of the buffer, or -errno. Rejects with IpvsError
 */
export async function optionValue(
  director: DirectorPort,
  option: number,
  given: Buffer,
): Promise<Buffer | number> {
  switch (option) {
    case GET.VERSION:
      return version(director);
    case GET.INFO:
      return info(director);
    case GET.SERVICES:
      return services(director, given);
    case GET.SERVICE:
      return service(director, readKey(given));
    case GET.DESTS:
      return dests(director, given);
    case GET.TIMEOUT:
      return timeoutsBytes(await director.ask({ query: 'timeouts' }));
    case GET.DAEMON:
      return daemonsBytes(await director.ask({ query: 'daemons' }));
    default:
      return -E.EINVAL;
  }
}

async function version(director: DirectorPort): Promise<Buffer> {
  const { version: number, tableSize } = await director.ask({ query: 'info' });
  const text = [number >>> 16, (number >>> 8) & 255, number & 255].join('.');
  return Buffer.from(`IP Virtual Server version ${text} (size=${tableSize})\0`);
}

async function info(director: DirectorPort): Promise<Buffer> {
  const { version: number, tableSize } = await director.ask({ query: 'info' });
  const bytes = Buffer.alloc(INFO_LEN);
  bytes.writeUInt32LE(number, 0);
  bytes.writeUInt32LE(tableSize, 4);
  bytes.writeUInt32LE((await director.ask({ query: 'services' })).length, 8);
  return bytes;
}

async function services(director: DirectorPort, given: Buffer): Promise<Buffer | number> {
  const count = given.readUInt32LE(0);
  if (given.length !== SERVICES_HEAD_LEN + count * SERVICE_ENTRY_LEN) return -E.EINVAL;
  const entries = (await director.ask({ query: 'services' })).filter(({ family }) => family === AF_INET);
  const parts = [given.subarray(0, SERVICES_HEAD_LEN)];
  for (const entry of entries.slice(0, count)) {
    parts.push(serviceEntry(entry, await destCount(director, entry)));
  }
  return Buffer.concat(parts);
}

async function service(director: DirectorPort, key: ServiceKey): Promise<Buffer> {
  const entry = await director.ask({ query: 'service', service: key });
  return serviceEntry(entry, await destCount(director, entry));
}

async function dests(director: DirectorPort, given: Buffer): Promise<Buffer | number> {
  const count = given.readUInt32LE(KEY_LEN);
  if (given.length !== DESTS_HEAD_LEN + count * DEST_ENTRY_LEN) return -E.EINVAL;
  const key = readKey(given);
  await director.ask({ query: 'service', service: key });
  const entries = await director.ask({ query: 'dests', service: key });
  const ours = entries.filter(({ addr }) => addr.family === AF_INET).slice(0, count);
  return Buffer.concat([given.subarray(0, DESTS_HEAD_LEN), ...ours.map(destEntry)]);
}

const destCount = async (director: DirectorPort, key: ServiceKey): Promise<number> =>
  (await director.ask({ query: 'dests', service: key })).length;
