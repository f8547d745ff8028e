import { type DestEntry, METHOD, PROTOCOL, type ServiceEntry, TUNNEL_TYPE } from '../core/config.ts';
import type { Labels } from './labels.ts';
import type { ListedService } from './listing-order.ts';
import { serviceAttributes } from './service-attributes.ts';
import { TUNNEL_FLAG } from './tunnel-flags.ts';

const METHOD_OPTIONS: Readonly<Record<number, string>> = {
  [METHOD.MASQ]: '-m',
  [METHOD.TUNNEL]: '-i',
  [METHOD.ROUTE]: '-g',
};

const CHECKSUM_OPTIONS: Readonly<Record<number, string>> = {
  [TUNNEL_FLAG.NOCSUM]: '--tun-nocsum',
  [TUNNEL_FLAG.CSUM]: '--tun-csum',
  [TUNNEL_FLAG.REMCSUM]: '--tun-remcsum',
};

const NAMED_PROTOCOLS: readonly number[] = [PROTOCOL.TCP, PROTOCOL.UDP, PROTOCOL.SCTP];

/**
 * Services and servers as the command lines that make them. Thresholds are not written, as ipvsadm never does. What no
 * command line can make is left out: services of other protocols, servers of other forwarding methods or tunnel types.
 */
export function printRules(listing: readonly ListedService[], labels: Labels): string {
  return listing
    .filter(({ service }) => service.fwmark !== 0 || NAMED_PROTOCOLS.includes(service.protocol))
    .flatMap(({ service, dests }) => [
      serviceRule(service, labels),
      ...dests.filter(isExpressible).map((dest) => destRule(service, dest, labels)),
    ])
    .map((rule) => `${rule}\n`)
    .join('');
}

function serviceRule(service: ServiceEntry, labels: Labels): string {
  const { scheduler, schedFlags, persistence, netmask, engine, onePacket } = serviceAttributes(service);
  return [
    `-A ${labels.serviceOption(service)} -s ${scheduler}`,
    persistence === undefined ? '' : ` -p ${persistence}`,
    netmask === undefined ? '' : ` -M ${netmask}`,
    engine === undefined ? '' : ` --pe ${engine}`,
    onePacket ? ' -o' : '',
    schedFlags === undefined ? '' : ` -b ${schedFlags}`,
  ].join('');
}

function isExpressible(dest: DestEntry): boolean {
  return METHOD_OPTIONS[dest.method] !== undefined && tunnelOptions(dest) !== undefined;
}

function destRule(service: ServiceEntry, dest: DestEntry, labels: Labels): string {
  const server = labels.destination(service, dest.addr, dest.port);
  const method = METHOD_OPTIONS[dest.method];
  return `-a ${labels.serviceOption(service)} -r ${server} ${method} -w ${dest.weight}${tunnelOptions(dest)}`;
}

/** @returns `undefined` for a tunnel that has no options */
function tunnelOptions(dest: DestEntry): string | undefined {
  if (dest.method !== METHOD.TUNNEL) return '';
  const checksum = CHECKSUM_OPTIONS[dest.tunnelFlags];
  if (dest.tunnelType === TUNNEL_TYPE.IPIP) return ' --tun-type ipip';
  if (checksum === undefined) return undefined;
  if (dest.tunnelType === TUNNEL_TYPE.GUE) return ` --tun-type gue --tun-port ${dest.tunnelPort} ${checksum}`;
  return dest.tunnelType === TUNNEL_TYPE.GRE ? ` --tun-type gre ${checksum}` : undefined;
}
