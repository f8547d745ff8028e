import { writeSync } from 'node:fs';
import { AF_INET, AF_INET6 } from '../../src/core/address.ts';
import { Decapsulation, ipv4Payload, UNWRAPPED, type Unwrapped } from '../../src/forwarders/decapsulate.ts';
import { openDecapDevice } from '../../src/net/packet/decap/decap-device.ts';
import { openReceiver, type Reception } from '../../src/net/packet/decap/receiver.ts';
import { FdStream } from '../../src/net/packet/fd-stream.ts';
import type { Namespace } from './namespace.ts';

const MTU = 65_535;
const IPIP = 4;
const IPV6 = 41;
const GRE = 47;
const GUE_PORT = 6080;
const SWALLOWED = UNWRAPPED.UNSUPPORTED;

/**
 * Gives a real server the tunnels that the recordings' servers had, and no more: IPv4 in ipip, in gre without optional
 * fields and in gue, all over IPv4; IPv6 in IPv6. IPv6 over IPv4 is received and goes nowhere.
 */
export function openTunnelEnds(namespace: Namespace): void {
  const unwrapping = new Decapsulation();
  const device = namespace.inside(() => openDecapDevice('decap0', MTU));
  namespace.set({ 'ipv4/conf/decap0/arp_ignore': 1, 'ipv6/conf/decap0/router_solicitations': 0 });
  read(device, () => SWALLOWED);
  const behindIpv4 = (bytes: Uint8Array, length: number): number => ipv4Payload(bytes, 0, length);
  receive({ family: AF_INET, protocol: IPIP }, (bytes, length) =>
    unwrapping.ipip(bytes, behindIpv4(bytes, length), length, 4),
  );
  receive({ family: AF_INET, protocol: GRE }, (bytes, length) => {
    const at = behindIpv4(bytes, length);
    const hasFields = bytes[at] !== 0 || bytes[at + 1] !== 0;
    return hasFields ? SWALLOWED : unwrapping.gre(bytes, at, length);
  });
  receive({ family: AF_INET, udpPort: GUE_PORT }, (bytes, length) =>
    bytes[1] === IPIP ? unwrapping.gue(bytes, 0, length) : SWALLOWED,
  );
  receive({ family: AF_INET, protocol: IPV6 }, () => SWALLOWED);
  receive({ family: AF_INET6, protocol: IPV6 }, (bytes, length) => unwrapping.ipip(bytes, 0, length, 6));

  function receive(reception: Reception, unwrap: (bytes: Uint8Array, length: number) => Unwrapped): void {
    read(
      namespace.inside(() => openReceiver(reception)),
      unwrap,
    );
  }

  function read(fd: number, unwrap: (bytes: Uint8Array, length: number) => Unwrapped): void {
    const buffer = new Uint8Array(2 ** 17);
    const onRead = (length: number): void => {
      if (unwrap(buffer, length) === UNWRAPPED.OK)
        writeSync(device, buffer, unwrapping.at, unwrapping.length);
    };
    const onLost = (code: string): void => {
      throw new Error(`${namespace.name}: a tunnel's end is lost: ${code}`);
    };
    new FdStream(fd, { buffer, onRead, onLost });
  }
}
