import { type Address, AF_INET, type Family, sameAddress } from './address.ts';
import { METHOD, PROTOCOL, type ServiceKey } from './config.ts';
import type { Destination } from './destination.ts';
import type { Service } from './service.ts';

/** A power of two. The kernel has 256; more keep large tables quick, and the order between buckets means nothing. */
const BUCKETS = 4096;

const FTP_PORT = 21;
const FTP_DATA_PORT = 20;
/** Default of net.ipv4.ip_unprivileged_port_start. */
const FIRST_UNPRIVILEGED_PORT = 1024;

/** The two tables of virtual services: by (family, protocol, address, port) and by (family, fwmark). */
export class Services {
  private readonly byAddress: Service[][] = Array.from({ length: BUCKETS }, () => []);
  private readonly byMark: Service[][] = Array.from({ length: BUCKETS }, () => []);
  /** The same services in the order of their making. */
  private readonly addressed = new Set<Service>();
  private readonly marked = new Set<Service>();
  private portZeroCount = 0;
  private ftpCount = 0;
  count = 0;
  /** Services of IPv4 and of IPv6: without any, packets of the family are not looked at. */
  ipv4Count = 0;
  ipv6Count = 0;

  find(key: ServiceKey): Service | undefined {
    return key.fwmark !== 0
      ? this.findMark(key.family, key.fwmark)
      : this.findExact(key.protocol, key.addr, key.port);
  }

  /** The service that takes a packet: by mark, exact, FTP data, then port 0 (ip_vs_service_find). */
  lookup(protocol: number, addr: Address, port: number, fwmark: number): Service | undefined {
    if (fwmark !== 0) {
      const marked = this.findMark(addr.family, fwmark);
      if (marked) return marked;
    }
    let found = this.findExact(protocol, addr, port);
    if (!found && this.ftpCount > 0 && protocol === PROTOCOL.TCP && isFtpData(port)) {
      found = this.findExact(protocol, addr, FTP_PORT);
    }
    if (!found && this.portZeroCount > 0) found = this.findExact(protocol, addr, 0);
    return found;
  }

  /** Whether some service has the engine `sip`, whose servers may begin flows. */
  hasSip = false;

  /** To be called when services or their engines have changed. */
  noteEngines(): void {
    this.hasSip = false;
    for (const service of this.each()) if (service.pe === 'sip') this.hasSip = true;
  }

  /** The masqueraded server at an address and port, if there is one. */
  findMasqDest(protocol: number, addr: Address, port: number): Destination | undefined {
    for (const service of this.each()) {
      if (service.protocol !== protocol && service.fwmark === 0) continue;
      const dest = service.dests.find(
        (each) => each.method === METHOD.MASQ && each.port === port && sameAddress(each.addr, addr),
      );
      if (dest) return dest;
    }
    return undefined;
  }

  add(service: Service): void {
    this.bucket(service).unshift(service);
    (service.fwmark !== 0 ? this.marked : this.addressed).add(service);
    this.tally(service, 1);
  }

  remove(service: Service): void {
    const bucket = this.bucket(service);
    bucket.splice(bucket.indexOf(service), 1);
    (service.fwmark !== 0 ? this.marked : this.addressed).delete(service);
    this.tally(service, -1);
  }

  /** All services, the oldest first; nothing is copied. */
  *each(): Generator<Service> {
    yield* this.addressed;
    yield* this.marked;
  }

  /** As a kernel lists them: address services first, by bucket, the newest first within a bucket. */
  all(): Service[] {
    return [...byBucket(this.addressed, addressBucketOf), ...byBucket(this.marked, markBucketOf)];
  }

  private findExact(protocol: number, addr: Address, port: number): Service | undefined {
    const bucket = this.byAddress[addressBucket(protocol, addr, port)]!;
    for (const service of bucket) {
      if (service.port === port && service.protocol === protocol && sameAddress(service.addr, addr))
        return service;
    }
    return undefined;
  }

  private findMark(family: Family, fwmark: number): Service | undefined {
    return this.byMark[fwmark & (BUCKETS - 1)]!.find(
      (service) => service.fwmark === fwmark && service.family === family,
    );
  }

  private bucket(service: Service): Service[] {
    return service.fwmark !== 0
      ? this.byMark[markBucketOf(service)]!
      : this.byAddress[addressBucketOf(service)]!;
  }

  private tally(service: Service, by: 1 | -1): void {
    this.count += by;
    if (service.family === AF_INET) this.ipv4Count += by;
    else this.ipv6Count += by;
    if (service.port === 0) this.portZeroCount += by;
    if (service.port === FTP_PORT) this.ftpCount += by;
  }
}

const isFtpData = (port: number): boolean => port === FTP_DATA_PORT || port >= FIRST_UNPRIVILEGED_PORT;

const markBucketOf = ({ fwmark }: Service): number => fwmark & (BUCKETS - 1);

const addressBucketOf = ({ protocol, addr, port }: Service): number => addressBucket(protocol, addr, port);

function byBucket(services: Iterable<Service>, bucketOf: (service: Service) => number): Service[] {
  return [...services].reverse().sort((a, b) => bucketOf(a) - bucketOf(b));
}

function addressBucket(protocol: number, addr: Address, port: number): number {
  const [a, b, c, d] = addr.words;
  return (protocol ^ a ^ b ^ c ^ d ^ (port >> 8) ^ port) & (BUCKETS - 1);
}
