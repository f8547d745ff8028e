import type { Command, DirectorPort } from '../core/commands.ts';
import type { ServiceEntry } from '../core/config.ts';
import type { Chosen } from './state-file.ts';

const ALL_FLAGS = 0xffffffff;

/**
 * Asks the director for its configuration as commands that rebuild it. Listings have the newest first, so each list is
 * reversed. Settings and timeouts that nobody chose are left out: they follow the defaults of the running version.
 */
export async function snapshotCommands(port: DirectorPort, chosen: Chosen): Promise<Command[]> {
  const commands: Command[] = [];
  for (const name of chosen.sysctls) {
    const [sysctl] = await port.ask({ query: 'sysctl', name });
    if (sysctl) commands.push({ op: 'set-sysctl', ...sysctl });
  }
  if (chosen.timeouts) {
    commands.push({ op: 'set-timeouts', timeouts: await port.ask({ query: 'timeouts' }) });
  }
  for (const service of (await port.ask({ query: 'services' })).toReversed()) {
    commands.push(...(await serviceCommands(port, service)));
  }
  for (const daemon of await port.ask({ query: 'daemons' })) commands.push({ op: 'start-daemon', daemon });
  return commands;
}

async function serviceCommands(port: DirectorPort, entry: ServiceEntry): Promise<Command[]> {
  const { stats: _stats, ...service } = entry;
  const dests = await port.ask({ query: 'dests', service });
  const key = {
    family: service.family,
    protocol: service.protocol,
    addr: service.addr,
    port: service.port,
    fwmark: service.fwmark,
  };
  return [
    { op: 'add-service', service, flagsMask: ALL_FLAGS },
    ...dests.toReversed().map(({ stats: _, active: _a, inactive: _i, persistent: _p, ...dest }): Command => {
      return { op: 'add-dest', service: key, dest };
    }),
  ];
}
