import { Assembler, type Register, type Width } from './assembler.ts';
import { KEY, KIND, KIND_V6, ROLE } from './capture-map.ts';

/** Result of the program: the packet goes on as if there were none. */
export const TCX_NEXT = -1;

/** Functions of the kernel that the program calls. */
export const HELPER = { LOOK_UP: 1, REDIRECT: 23, CHANGE_TAIL: 38 } as const;

/** Offsets in bytes within struct __sk_buff; all fields have 32 bits. */
export const CONTEXT = {
  LENGTH: 0,
  TYPE: 4,
  PROTOCOL: 16,
  VLAN_PRESENT: 20,
  DATA: 76,
  DATA_END: 80,
  GSO_SIZE: 176,
} as const;

/** Ethernet's protocol numbers as the context has them: bytes in network order. */
const ETH_IPV4 = 0x0008;
const ETH_IPV6 = 0xdd86;

const ETHERNET_BYTES = 14;
/** The protocol's place in an Ethernet header. */
const ETHERNET_PROTOCOL = 12;
const V4_BYTES = 20;
const V6_BYTES = 40;
/** Ports. */
const TRANSPORT_BYTES = 4;
/** Shorter than the header of any transport. */
const LEAST_TRANSPORT = 8;

/** Bits of the two bytes at the flags of IPv4, read as a little-endian number: more fragments, and the offset. */
const FRAGMENT = 0xff3f;

const TRANSPORTS = [6, 17, 132] as const;

/** The stack, in bytes from its end: what was read of the packet, and the key to look up. */
const KEY_AT = -24;
const DST = -40;
const SRC = -56;
const DST_PORT = -58;
const SRC_PORT = -60;
const FAMILY = -64;
/** From the Ethernet header on, in bytes. */
const TOTAL = -72;

/** Where the bytes of a packet of one family are, from the IP header on. */
interface Layout {
  readonly label: string;
  readonly kind: number;
  readonly etherType: number;
  readonly headerBytes: number;
  readonly source: number;
  readonly dest: number;
  readonly ttl: number;
  readonly protocol: number;
}

const V4: Layout = {
  label: 'v4',
  kind: 0,
  etherType: ETH_IPV4,
  headerBytes: V4_BYTES,
  source: 12,
  dest: 16,
  ttl: 8,
  protocol: 9,
};
const V6: Layout = {
  label: 'v6',
  kind: KIND_V6,
  etherType: ETH_IPV6,
  headerBytes: V6_BYTES,
  source: 8,
  dest: 24,
  ttl: 7,
  protocol: 6,
};

/**
 * Writes the program that hands the packets of services, and replies of their servers, to a device of the director. Sees
 * packets as they come in by an Ethernet device. It takes whole packets of TCP, UDP and SCTP with plain headers that the
 * host would route, and leaves all else, as what it is not sure of, to the rules of nft.
 *
 * Registers: r6 context, r7 packet, r8 transport protocol; when the packet is read: r7 roles of the destination, r9 of
 * the source.
 *
 * @param map descriptor of the map with the entries of capture-map
 * @param device index of the director's device
 */
export function captureCode(map: number, device: number): Uint8Array {
  const code = new Assembler();
  chooseFamily(code);
  readPacket(code, V4);
  readPacket(code, V6);
  code.label('read');
  decide(code, map);
  take(code, device);
  return code.label('next').alu('mov', 'r0', TCX_NEXT).exit().code();
}

/** Only what was sent to this host's Ethernet address, and on the device itself. */
function chooseFamily(code: Assembler): void {
  code
    .alu('mov', 'r6', 'r1')
    .load('w', 'r0', 'r6', CONTEXT.TYPE)
    .jump('ne', 'r0', 0, 'next')
    .load('w', 'r0', 'r6', CONTEXT.VLAN_PRESENT)
    .jump('ne', 'r0', 0, 'next')
    .load('w', 'r7', 'r6', CONTEXT.DATA)
    .load('w', 'r2', 'r6', CONTEXT.DATA_END)
    .load('w', 'r0', 'r6', CONTEXT.PROTOCOL)
    .jump('eq', 'r0', ETH_IPV6, V6.label)
    .jump('ne', 'r0', ETH_IPV4, 'next');
}

/** Copies what matters to the stack, if the packet is a sound one. */
function readPacket(code: Assembler, layout: Layout): void {
  const { label, kind, etherType, headerBytes, source, dest, ttl, protocol } = layout;
  const field = (width: Width, to: Register, offset: number): Assembler =>
    code.load(width, to, 'r7', ETHERNET_BYTES + offset);
  code
    .label(label)
    .alu('mov', 'r1', 'r7')
    .alu('add', 'r1', ETHERNET_BYTES + headerBytes + TRANSPORT_BYTES)
    .jump('gt', 'r1', 'r2', 'next')
    // A tag of a virtual network may stand in the header.
    .load('h', 'r0', 'r7', ETHERNET_PROTOCOL)
    .jump('ne', 'r0', etherType, 'next')
    .store('w', 'r10', FAMILY, kind);
  if (layout === V4) checkV4(code, field);
  else checkV6(field);
  // r1: the length from the Ethernet header on.
  code
    .jump('lt', 'r1', ETHERNET_BYTES + headerBytes + LEAST_TRANSPORT, 'next')
    .load('w', 'r0', 'r6', CONTEXT.LENGTH)
    .jump('gt', 'r1', 'r0', 'next')
    .store('dw', 'r10', TOTAL, 'r1');
  field('b', 'r0', ttl).jump('eq', 'r0', 0, 'next');
  field('b', 'r8', protocol);
  for (const each of TRANSPORTS) code.jump('eq', 'r8', each, `${label} transport`);
  code.go('next').label(`${label} transport`);
  copyAddress(code, layout, field, { from: source, to: SRC });
  copyAddress(code, layout, field, { from: dest, to: DST });
  field('h', 'r0', headerBytes).store('h', 'r10', SRC_PORT, 'r0');
  field('h', 'r0', headerBytes + 2).store('h', 'r10', DST_PORT, 'r0');
  if (layout === V4) code.go('read');
}

type Field = (width: Width, to: Register, offset: number) => Assembler;

/** No options, not a fragment, and a right checksum. */
function checkV4(code: Assembler, field: Field): void {
  field('b', 'r0', 0).jump('ne', 'r0', 0x45, 'next');
  field('h', 'r0', 6).jump('set', 'r0', FRAGMENT, 'next');
  code.alu('mov', 'r0', 0);
  for (let at = 0; at < V4_BYTES; at += 4) field('w', 'r1', at).alu('add', 'r0', 'r1');
  for (let fold = 0; fold < 3; fold++)
    code.alu('mov', 'r1', 'r0').alu('rsh', 'r1', 16).alu('and', 'r0', 0xffff).alu('add', 'r0', 'r1');
  code.jump('ne', 'r0', 0xffff, 'next');
  field('h', 'r1', 2).fromNetwork16('r1').alu('add', 'r1', ETHERNET_BYTES);
}

function checkV6(field: Field): void {
  field('b', 'r0', 0).alu('rsh', 'r0', 4).jump('ne', 'r0', 6, 'next');
  field('h', 'r1', 4)
    .fromNetwork16('r1')
    .alu('add', 'r1', ETHERNET_BYTES + V6_BYTES);
}

/** Leaves addresses that are never routed: this network and loopback, link-local ones of IPv6, multicast. */
function copyAddress(
  code: Assembler,
  layout: Layout,
  field: Field,
  { from, to }: { readonly from: number; readonly to: number },
): void {
  field('b', 'r0', from).jump('eq', 'r0', 0, 'next');
  if (layout === V4) {
    code.jump('eq', 'r0', 127, 'next').jump('ge', 'r0', 224, 'next');
    field('w', 'r0', from)
      .store('dw', 'r10', to, 'r0')
      .store('dw', 'r10', to + 8, 0);
    return;
  }
  code.jump('ge', 'r0', 0xfe, 'next');
  for (const at of [0, 8]) field('dw', 'r0', from + at).store('dw', 'r10', to + at, 'r0');
}

/** Packets from own addresses are forged, and replies to own addresses may belong to the host's own connections. */
function decide(code: Assembler, map: number): void {
  lookUp(code, map, { address: SRC, port: undefined, kind: KIND.ADDRESS });
  rolesOf(code, 'r9', 'source known');
  code.jump('set', 'r9', ROLE.OWN, 'next');
  lookUp(code, map, { address: DST, port: undefined, kind: KIND.ADDRESS });
  rolesOf(code, 'r7', 'dest known');
  code.jump('set', 'r7', ROLE.VIRTUAL, 'virtual').go('reply').label('virtual');
  lookUp(code, map, { address: DST, port: DST_PORT, kind: KIND.VIRTUAL });
  code.jump('ne', 'r0', 0, 'take').jump('set', 'r7', ROLE.VIRTUAL_ANY, 'virtual any').go('reply');
  code.label('virtual any');
  lookUp(code, map, { address: DST, port: 0, kind: KIND.VIRTUAL });
  code.jump('ne', 'r0', 0, 'take');
  code.label('reply').jump('set', 'r7', ROLE.OWN, 'next');
  code.jump('set', 'r9', ROLE.SERVER, 'server').go('next').label('server');
  lookUp(code, map, { address: SRC, port: SRC_PORT, kind: KIND.SERVER });
  code.jump('ne', 'r0', 0, 'take').jump('set', 'r9', ROLE.SERVER_ANY, 'server any').go('next');
  code.label('server any');
  lookUp(code, map, { address: SRC, port: 0, kind: KIND.SERVER });
  code.jump('eq', 'r0', 0, 'next');
}

interface Wanted {
  /** Where in the stack. */
  readonly address: number;
  /** Where in the stack; 0 for any; `undefined` for the address alone. */
  readonly port: number | undefined;
  readonly kind: number;
}

/** r0 becomes the address of the value, or 0. */
function lookUp(code: Assembler, map: number, { address, port, kind }: Wanted): void {
  for (const at of [0, 8]) {
    code.load('dw', 'r0', 'r10', address + at).store('dw', 'r10', KEY_AT + KEY.ADDRESS + at, 'r0');
  }
  if (port) code.load('h', 'r0', 'r10', port).store('h', 'r10', KEY_AT + KEY.PORT, 'r0');
  else code.store('h', 'r10', KEY_AT + KEY.PORT, 0);
  code.store('b', 'r10', KEY_AT + KEY.PROTOCOL, port === undefined ? 0 : 'r8');
  code
    .load('w', 'r0', 'r10', FAMILY)
    .alu('add', 'r0', kind)
    .store('b', 'r10', KEY_AT + KEY.KIND, 'r0')
    .loadMap('r1', map)
    .alu('mov', 'r2', 'r10')
    .alu('add', 'r2', KEY_AT)
    .call(HELPER.LOOK_UP);
}

/** Puts the value that was found into a register, 0 if none was. */
function rolesOf(code: Assembler, into: Register, label: string): void {
  code.alu('mov', into, 0).jump('eq', 'r0', 0, label).load('w', into, 'r0', 0).label(label);
}

/** Short frames are padded: the host cuts that off before it routes a packet. */
function take(code: Assembler, device: number): void {
  code
    .label('take')
    .load('w', 'r0', 'r6', CONTEXT.LENGTH)
    .load('dw', 'r2', 'r10', TOTAL)
    .jump('eq', 'r0', 'r2', 'redirect')
    .load('w', 'r0', 'r6', CONTEXT.GSO_SIZE)
    .jump('ne', 'r0', 0, 'next')
    .alu('mov', 'r1', 'r6')
    .alu('mov', 'r3', 0)
    .call(HELPER.CHANGE_TAIL)
    .jump('ne', 'r0', 0, 'next')
    .label('redirect')
    .alu('mov', 'r1', device)
    .alu('mov', 'r2', 0)
    .call(HELPER.REDIRECT)
    .exit();
}
