import { closeSync, constants, openSync } from 'node:fs';
import { DeviceError, negativeErrno } from '../device-error.ts';
import { type Arena, native } from '../ffi/native.ts';

const TUN_NODE = '/dev/net/tun';

// uapi linux/if_tun.h
const TUNSETIFF = 0x400454ca;
const TUNSETOFFLOAD = 0x400454d0;
const TUNSETVNETHDRSZ = 0x400454d8;
const IFF_TUN = 0x0001;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
/** Refuses a device that exists, a persistent one too. */
const IFF_TUN_EXCL = 0x8000;

const CSUM = 0x01;
const TSO = 0x02 | 0x04;
const USO = 0x20 | 0x40;

/** What a kernel may know, the most first: super-packets of UDP came with Linux 6.2. */
const OFFLOAD_STEPS = [CSUM | TSO | USO, CSUM | TSO, CSUM, 0] as const;

/** The size of a virtio_net_hdr before every packet, in bytes. */
const VNET_HEADER_BYTES = 10;

// uapi linux/sockios.h and if.h: struct ifreq is a name of 16 bytes and a union of 24.
const SIOCGIFFLAGS = 0x8913;
const SIOCSIFFLAGS = 0x8914;
const SIOCSIFMTU = 0x8922;
const SIOCSIFTXQLEN = 0x8943;
const IFF_UP = 1;
const NAME_BYTES = 16;
const REQUEST_BYTES = 40;
const AF_INET = 2;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;

/** What the kernel may leave to the reader of the device, as texts for people. */
export type Offload = 'checksum' | 'tso' | 'uso';

export interface TunOptions {
  /** At most 15 bytes; an empty one lets the kernel choose. */
  readonly name: string;
  /** Packets carry a virtio header before them, and may be super-packets. */
  readonly vnetHeader: boolean;
  /** In bytes; default: the kernel's 1500. */
  readonly mtu?: number;
  /** Packets that the kernel keeps until they are read; default: the kernel's 500. */
  readonly queueLength?: number;
  /** Brings the device up. */
  readonly up?: boolean;
}

/** A TUN device that lives as long as its descriptor, which the holder closes. */
export interface Tun {
  readonly fd: number;
  readonly name: string;
  readonly offloads: readonly Offload[];
}

/**
 * Makes a TUN device in this network namespace.
 * @throws DeviceError that says what is missing
 */
export function openTun(options: TunOptions): Tun {
  const fd = openNode();
  const request = native().arena(REQUEST_BYTES);
  try {
    const name = attach(fd, request, options);
    const offloads = options.vnetHeader ? negotiate(fd, request, name) : [];
    configureLink(name, options, request);
    return { fd, name, offloads };
  } catch (error) {
    closeSync(fd);
    throw error;
  } finally {
    native().release(request);
  }
}

/**
 * Opens the device node, which belongs to no device yet. Non-blocking.
 * @throws DeviceError that says what is missing
 */
export function openNode(): number {
  try {
    return openSync(TUN_NODE, constants.O_RDWR | constants.O_NONBLOCK);
  } catch (error) {
    throw new DeviceError(`open ${TUN_NODE}`, negativeErrno(error), nodeHelp(error));
  }
}

function nodeHelp(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : '';
  switch (code) {
    case 'ENOENT':
      return 'no such device node here: in a container pass it in (--device /dev/net/tun)';
    case 'ENODEV':
    case 'ENXIO':
      return 'the kernel lacks the tun module';
    default:
      return 'needs the right to open the device node, and CAP_NET_ADMIN';
  }
}

function attach(fd: number, request: Arena, { name, vnetHeader }: TunOptions): string {
  const operation = `make device ${name}`;
  if (Buffer.byteLength(name) >= NAME_BYTES)
    throw new DeviceError(operation, 'the name is longer than 15 bytes');
  const { bytes, view } = request;
  bytes.fill(0, 0, REQUEST_BYTES).write(name, 0);
  view.setUint16(NAME_BYTES, IFF_TUN | IFF_NO_PI | IFF_TUN_EXCL | (vnetHeader ? IFF_VNET_HDR : 0), true);
  const result = ioctl(fd, TUNSETIFF, request.address);
  if (result < 0) throw new DeviceError(operation, result, attachHelp(result));
  return bytes.toString('utf8', 0, bytes.indexOf(0));
}

function attachHelp(result: number): string | undefined {
  switch (result) {
    case -1: // EPERM
      return 'needs CAP_NET_ADMIN in this network namespace';
    case -16: // EBUSY
      return 'the name is in use: another director in this network namespace?';
    case -22: // EINVAL
      return 'a device may not have this name';
    default:
      return undefined;
  }
}

/** @returns the most that this kernel accepts */
function negotiate(fd: number, request: Arena, name: string): readonly Offload[] {
  request.view.setInt32(0, VNET_HEADER_BYTES, true);
  const result = ioctl(fd, TUNSETVNETHDRSZ, request.address);
  if (result < 0) throw new DeviceError(`set the header size of ${name}`, result);
  const accepted = OFFLOAD_STEPS.find((step) => ioctl(fd, TUNSETOFFLOAD, step) === 0) ?? 0;
  const has = (mask: number): boolean => (accepted & mask) === mask;
  return [
    ...(has(CSUM) ? (['checksum'] as const) : []),
    ...(has(TSO) ? (['tso'] as const) : []),
    ...(has(USO) ? (['uso'] as const) : []),
  ];
}

function configureLink(name: string, { mtu, queueLength, up }: TunOptions, request: Arena): void {
  if (mtu === undefined && queueLength === undefined && !up) return;
  const socket = native().syscall(native().calls.socket, AF_INET, SOCK_DGRAM_CLOEXEC, 0);
  if (socket < 0) throw new DeviceError(`configure ${name}`, socket);
  const { bytes, view, address } = request;
  const ask = (operation: string, code: number): void => {
    const result = ioctl(socket, code, address);
    if (result < 0) throw new DeviceError(operation, result);
  };
  try {
    bytes.fill(0, 0, REQUEST_BYTES).write(name, 0);
    if (mtu !== undefined) {
      view.setInt32(NAME_BYTES, mtu, true);
      ask(`set the MTU of ${name} to ${mtu}`, SIOCSIFMTU);
    }
    if (queueLength !== undefined) {
      view.setInt32(NAME_BYTES, queueLength, true);
      ask(`set the queue length of ${name} to ${queueLength}`, SIOCSIFTXQLEN);
    }
    if (up) {
      ask(`bring ${name} up`, SIOCGIFFLAGS);
      view.setInt16(NAME_BYTES, view.getInt16(NAME_BYTES, true) | IFF_UP, true);
      ask(`bring ${name} up`, SIOCSIFFLAGS);
    }
  } finally {
    closeSync(socket);
  }
}

const ioctl = (fd: number, code: number, argument: number): number =>
  native().syscall(native().calls.ioctl, fd, code, argument);
