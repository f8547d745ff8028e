import type { Command, DirectorPort } from '../core/commands.ts';
import type { ServiceKey } from '../core/config.ts';
import { IpvsError } from '../core/errors.ts';
import type { Attributes } from './attributes.ts';
import { writeDaemonEntry, writeDestEntry, writeServiceEntry, writeTimeouts } from './entries.ts';
import type { Family, Fill, Operation } from './families.ts';
import { ATTR, COMMAND, COMMAND_POLICY, INFO, IPVS_FAMILY } from './ipvs-abi.ts';
import {
  type DestRequest,
  readDaemonConfig,
  readDaemonState,
  readDestConfig,
  readDestKey,
  readServiceConfig,
  readServiceKey,
  readTimeouts,
} from './requests.ts';

const { version } = IPVS_FAMILY;

/** @returns the family `IPVS` over a director. */
export function ipvsFamily(id: number, director: DirectorPort): Family {
  return {
    id,
    ...IPVS_FAMILY,
    isPrivileged: true,
    policy: COMMAND_POLICY,
    operations: [
      ...serviceOperations(director),
      ...destOperations(director),
      ...daemonOperations(director),
      ...generalOperations(director),
    ],
  };
}

function serviceOperations(director: DirectorPort): Operation[] {
  return [
    change(director, COMMAND.NEW_SERVICE, (request) => ({
      op: 'add-service',
      ...readServiceConfig(request),
    })),
    change(director, COMMAND.SET_SERVICE, (request) => ({
      op: 'edit-service',
      ...readServiceConfig(request),
    })),
    change(director, COMMAND.DEL_SERVICE, (request) => ({
      op: 'delete-service',
      service: readServiceKey(request),
    })),
    {
      command: COMMAND.GET_SERVICE,
      one: async (request) => {
        const entry = await director.ask({ query: 'service', service: readServiceKey(request) });
        return reply(COMMAND.NEW_SERVICE, (writer) => writeServiceEntry(writer, entry));
      },
      dump: async () => {
        const entries = await director.ask({ query: 'services' });
        return entries.map((entry) =>
          reply(COMMAND.NEW_SERVICE, (writer) => writeServiceEntry(writer, entry)),
        );
      },
    },
  ];
}

function destOperations(director: DirectorPort): Operation[] {
  return [
    change(director, COMMAND.NEW_DEST, async (request) => {
      const service = readServiceKey(request);
      const dest = await accepted(director, service, readDestConfig(request, service.family));
      return { op: 'add-dest', service, dest };
    }),
    change(director, COMMAND.SET_DEST, async (request) => {
      const service = readServiceKey(request);
      const dest = await accepted(director, service, readDestConfig(request, service.family));
      return { op: 'edit-dest', service, dest };
    }),
    change(director, COMMAND.DEL_DEST, async (request) => {
      const service = readServiceKey(request);
      const dest = await accepted(director, service, readDestKey(request, service.family));
      return { op: 'delete-dest', service, dest };
    }),
    {
      command: COMMAND.GET_DEST,
      dump: async (request) => {
        const service = request && keyOrNone(request);
        const entries = service ? await director.ask({ query: 'dests', service }) : [];
        return entries.map((entry) => reply(COMMAND.NEW_DEST, (writer) => writeDestEntry(writer, entry)));
      },
    },
  ];
}

function daemonOperations(director: DirectorPort): Operation[] {
  return [
    change(director, COMMAND.NEW_DAEMON, (request) => ({
      op: 'start-daemon',
      daemon: readDaemonConfig(request),
    })),
    change(director, COMMAND.DEL_DAEMON, (request) => ({
      op: 'stop-daemon',
      state: readDaemonState(request),
    })),
    {
      command: COMMAND.GET_DAEMON,
      dump: async () => {
        const daemons = await director.ask({ query: 'daemons' });
        return daemons.map((daemon) =>
          reply(COMMAND.NEW_DAEMON, (writer) => writeDaemonEntry(writer, daemon)),
        );
      },
    },
  ];
}

function generalOperations(director: DirectorPort): Operation[] {
  return [
    change(director, COMMAND.SET_CONFIG, (request) => ({
      op: 'set-timeouts',
      timeouts: readTimeouts(request),
    })),
    {
      command: COMMAND.GET_CONFIG,
      one: async () => {
        const timeouts = await director.ask({ query: 'timeouts' });
        return reply(COMMAND.SET_CONFIG, (writer) => writeTimeouts(writer, timeouts));
      },
    },
    {
      command: COMMAND.GET_INFO,
      one: async () => {
        const info = await director.ask({ query: 'info' });
        return reply(COMMAND.SET_INFO, (writer) =>
          writer.attrU32(INFO.VERSION, info.version).attrU32(INFO.CONN_TAB_SIZE, info.tableSize),
        );
      },
    },
    change(director, COMMAND.ZERO, (request) => ({
      op: 'zero',
      service: request.has(ATTR.SERVICE) ? readServiceKey(request) : undefined,
    })),
    change(director, COMMAND.FLUSH, () => ({ op: 'flush' })),
  ];
}

/** An operation that changes something and has no answer but its acknowledgement. */
function change(
  director: DirectorPort,
  command: number,
  read: (request: Attributes) => Command | Promise<Command>,
): Operation {
  return {
    command,
    one: async (request) => {
      await director.apply(await read(request));
      return undefined;
    },
  };
}

/**
 * @returns the server, or `undefined` for a malformed one, which the director refuses once it has found the service
 * @throws IpvsError ESRCH, EAFNOSUPPORT
 */
async function accepted<T extends object>(
  director: DirectorPort,
  service: ServiceKey,
  dest: DestRequest<T>,
): Promise<T | undefined> {
  if (dest === 'malformed') return undefined;
  if (dest !== 'bad-family') return dest;
  await director.ask({ query: 'service', service });
  throw new IpvsError('EAFNOSUPPORT', 'a server is of IPv4 or IPv6');
}

/** A dump of the servers of an unreadable service is empty, not an error. */
function keyOrNone(request: Attributes): ServiceKey | undefined {
  try {
    return readServiceKey(request);
  } catch (error) {
    if (error instanceof IpvsError) return undefined;
    throw error;
  }
}

function reply(command: number, fill: Fill): Fill {
  return (writer) => fill(writer.genl(command, version));
}
