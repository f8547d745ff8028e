import { type Address, AF_INET, type Family, formatAddress, isUnspecified } from '../../core/address.ts';
import { METHOD, PROTOCOL, type ServiceKey } from '../../core/config.ts';
import type { ServiceView } from '../service-view.ts';

const FTP_PORT = 21;
const TRANSPORTS = [PROTOCOL.TCP, PROTOCOL.UDP, PROTOCOL.SCTP] as const;

/** Packets of one protocol to (or from) an address and port. */
export interface Endpoint {
  readonly family: Family;
  readonly protocol: number;
  readonly addr: Address;
  /** 0 for all. */
  readonly port: number;
}

/** A firewall mark whose packets are taken. */
interface Mark {
  readonly family: Family;
  readonly fwmark: number;
}

/** What the host is to hand to the director. */
export interface CaptureList {
  /** Virtual services: packets to them. */
  readonly virtual: readonly Endpoint[];
  /** Servers whose packets to clients pass the host: masqueraded ones, and those on the host itself. */
  readonly servers: readonly Endpoint[];
  readonly marks: readonly Mark[];
}

/** A server whose service, or which itself, was deleted while connections go on. */
export interface Remainder {
  readonly service: ServiceKey;
  readonly addr: Address;
  readonly port: number;
  readonly method: number;
}

/**
 * Gathers what the services, and connections of deleted ones, need of the host; each thing once.
 * @param isLocal tells the host's own addresses
 */
export function captureList(
  services: Iterable<ServiceView>,
  remainders: Iterable<Remainder>,
  isLocal: (address: Address) => boolean,
): CaptureList {
  const list = new Gathering(isLocal);
  for (const service of services) {
    list.service(service);
    for (const dest of service.dests) list.server(service, dest.addr, dest.port, dest.method);
  }
  for (const { service, addr, port, method } of remainders) {
    list.service(service);
    list.server(service, addr, port, method);
  }
  return list.result();
}

class Gathering {
  private readonly virtual = new Map<string, Endpoint>();
  private readonly servers = new Map<string, Endpoint>();
  private readonly marks = new Map<string, Mark>();
  private readonly isLocal: (address: Address) => boolean;

  constructor(isLocal: (address: Address) => boolean) {
    this.isLocal = isLocal;
  }

  service(service: ServiceKey): void {
    const { family, protocol, addr, port, fwmark } = service;
    if (fwmark !== 0) {
      this.marks.set(`${family} ${fwmark}`, { family, fwmark });
    } else if (!isUnspecified(addr)) {
      put(this.virtual, { family, protocol, addr, port });
      // Clients of passive FTP come to ports that the server has named.
      if (isFtp(service)) put(this.virtual, { family, protocol, addr, port: 0 });
    }
  }

  server(service: ServiceKey, addr: Address, port: number, method: number): void {
    if (method !== METHOD.MASQ) {
      // A server on the host itself answers from the virtual address.
      if (service.fwmark === 0 && this.isLocal(addr))
        put(this.servers, {
          family: service.family,
          protocol: service.protocol,
          addr: service.addr,
          port: service.port,
        });
      return;
    }
    const protocols = service.fwmark === 0 ? [service.protocol] : TRANSPORTS;
    for (const protocol of protocols) {
      // FTP servers send data from port 20, or from ports that they have named.
      put(this.servers, { family: addr.family, protocol, addr, port: isFtp(service) ? 0 : port });
    }
  }

  result(): CaptureList {
    return {
      virtual: [...this.virtual.values()],
      servers: [...this.servers.values()],
      marks: [...this.marks.values()],
    };
  }
}

const isFtp = ({ fwmark, protocol, port }: ServiceKey): boolean =>
  fwmark === 0 && protocol === PROTOCOL.TCP && port === FTP_PORT;

function put(into: Map<string, Endpoint>, endpoint: Endpoint): void {
  into.set(`${endpoint.protocol} ${formatAddress(endpoint.addr)} ${endpoint.port}`, endpoint);
}

/** Family of packets, for texts. */
export const familyName = (family: Family): 'IPv4' | 'IPv6' => (family === AF_INET ? 'IPv4' : 'IPv6');
