import { AF_INET, formatAddress, ipv4 } from '../core/address.ts';
import { SERVICE_FLAG, type ServiceEntry } from '../core/config.ts';
import { WHOLE_IPV4_MASK, WHOLE_IPV6_PREFIX } from './draft.ts';
import { formatSchedFlags } from './sched-flags.ts';

/** The attributes of a service as words; `undefined` where there is nothing to say. */
export interface ServiceAttributes {
  readonly scheduler: string;
  readonly schedFlags: string | undefined;
  /** Seconds. */
  readonly persistence: number | undefined;
  /** IPv4 mask or IPv6 prefix length, unless whole addresses count. */
  readonly netmask: string | undefined;
  readonly engine: string | undefined;
  readonly onePacket: boolean;
}

export function serviceAttributes(service: ServiceEntry): ServiceAttributes {
  const { scheduler, flags } = service;
  const persistent = (flags & SERVICE_FLAG.PERSISTENT) !== 0;
  return {
    scheduler: scheduler === '' ? 'none' : scheduler,
    schedFlags: formatSchedFlags(flags, scheduler),
    persistence: persistent ? service.timeoutSec : undefined,
    netmask: persistent ? formatNetmask(service) : undefined,
    engine: service.pe === '' ? undefined : service.pe,
    onePacket: (flags & SERVICE_FLAG.ONE_PACKET) !== 0,
  };
}

function formatNetmask({ family, netmask }: ServiceEntry): string | undefined {
  if (family === AF_INET) return netmask >>> 0 === WHOLE_IPV4_MASK ? undefined : formatAddress(ipv4(netmask));
  return netmask === WHOLE_IPV6_PREFIX ? undefined : String(netmask);
}
