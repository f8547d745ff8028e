import type { Address } from '../../src/core/address.ts';
import type { Command } from '../../src/core/commands.ts';
import { PROTOCOL, SERVICE_FLAG, type ServiceConfig } from '../../src/core/config.ts';
import { ALL_FLAGS, address, destConfig, serviceConfig } from '../support/core.ts';

const OPERATIONS = {
  '-A': 'add-service',
  '-E': 'edit-service',
  '-a': 'add-dest',
  '-e': 'edit-dest',
  '-d': 'delete-dest',
} as const;
const VALUE_OPTIONS = ['-t', '-u', '-f', '-s', '-b', '-r', '-w', '-x', '-y'];

/** The few forms of ipvsadm's command lines that the recorded scenarios use: masqueraded servers, one command. */
export function commandOf(argv: readonly string[]): Command {
  const op = OPERATIONS[argv[0] as keyof typeof OPERATIONS];
  const options = new Map<string, string>();
  for (let i = 1; i < argv.length; i++) {
    const word = argv[i]!;
    if (VALUE_OPTIONS.includes(word)) options.set(word, argv[++i]!);
    else if (word !== '-m') throw new Error(`unknown option ${word}`);
  }
  const service = serviceOf(options);
  if (!op) throw new Error(`unknown command ${argv[0]}`);
  if (op === 'add-service' || op === 'edit-service') return { op, service, flagsMask: ALL_FLAGS };
  const { addr, port } = endpoint(options.get('-r')!, service.port);
  const number = (name: string, otherwise: number): number => Number(options.get(name) ?? otherwise);
  const dest = destConfig(0, {
    addr,
    port,
    weight: number('-w', 1),
    upperThreshold: number('-x', 0),
    lowerThreshold: number('-y', 0),
  });
  return { op, service, dest };
}

function serviceOf(options: ReadonlyMap<string, string>): ServiceConfig {
  const scheduler = options.get('-s') ?? 'wlc';
  const flags = schedulerFlags(options.get('-b') ?? '');
  const mark = options.get('-f');
  if (mark) {
    return serviceConfig({ vip: '0.0.0.0', protocol: 0, port: 0, fwmark: Number(mark), scheduler, flags });
  }
  const protocol = options.has('-t') ? PROTOCOL.TCP : PROTOCOL.UDP;
  const { addr, port } = endpoint((options.get('-t') ?? options.get('-u'))!, 0);
  const { family } = addr;
  const netmask = family === 2 ? ALL_FLAGS : 128;
  return serviceConfig({ family, addr, port, protocol, scheduler, flags, netmask });
}

function schedulerFlags(names: string): number {
  let flags = 0;
  for (const name of names.split(',').filter(Boolean)) {
    flags |= name.endsWith('-fallback') ? SERVICE_FLAG.SCHED_1 : SERVICE_FLAG.SCHED_2;
  }
  return flags;
}

function endpoint(text: string, otherPort: number): { addr: Address; port: number } {
  const found = /^(?:\[(.+)\]|([\d.]+))(?::(\d+))?$/.exec(text);
  if (!found) throw new Error(`not an endpoint: ${text}`);
  return { addr: address((found[1] ?? found[2])!), port: found[3] ? Number(found[3]) : otherPort };
}
