import type { Command } from './commands.ts';
import { sameService } from './configuration.ts';
import type { Director } from './director.ts';
import type { Service } from './service.ts';

const ALL_FLAGS = 0xffffffff;

/**
 * The commands that take a change back, for a change that could not be recorded. Configuration and server counters
 * come back (deleted servers revive from the trash); the scheduler's position does not.
 */
export function inverseOf(director: Director, command: Command): Command[] {
  switch (command.op) {
    case 'add-service':
      return [{ op: 'delete-service', service: command.service }];
    case 'edit-service': {
      const service = director.config.services.find(command.service);
      return service ? [{ op: 'edit-service', service: service.config(), flagsMask: ALL_FLAGS }] : [];
    }
    case 'delete-service':
      return [...director.services()].filter((each) => sameService(each, command.service)).flatMap(rebuild);
    case 'flush':
      return [...director.services()].reverse().flatMap(rebuild);
    case 'add-dest':
      return [{ op: 'delete-dest', service: command.service, dest: command.dest }];
    case 'edit-dest':
    case 'delete-dest': {
      const service = director.config.services.find(command.service);
      const dest = command.dest && service?.dests[service.indexOf(command.dest)]?.config();
      const op = command.op === 'edit-dest' ? 'edit-dest' : 'add-dest';
      return dest ? [{ op, service: command.service, dest }] : [];
    }
    case 'zero':
      return [];
    case 'set-timeouts':
      return [{ op: 'set-timeouts', timeouts: director.timeouts.read() }];
    case 'start-daemon':
      return [{ op: 'stop-daemon', state: command.daemon.state }];
    case 'stop-daemon':
      return director.daemons
        .list()
        .filter((daemon) => daemon.state === command.state)
        .map((daemon) => ({ op: 'start-daemon', daemon }));
    case 'set-sysctl':
      return director.settings
        .list(undefined)
        .filter((sysctl) => sysctl.name === command.name)
        .map((sysctl) => ({ op: 'set-sysctl', ...sysctl }));
  }
}

/** The commands that make a service with its destinations, oldest first so that the list comes out the same. */
function rebuild(service: Service): Command[] {
  const dests = [...service.dests].reverse();
  return [
    { op: 'add-service', service: service.config(), flagsMask: ALL_FLAGS },
    ...dests.map((dest): Command => ({ op: 'add-dest', service: service.config(), dest: dest.config() })),
  ];
}
