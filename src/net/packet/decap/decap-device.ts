import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { DeviceError, negativeErrno } from '../../device-error.ts';
import { native } from '../../ffi/native.ts';

const { EBUSY, ENOENT, EPERM } = constants.errno;

// From the headers of Linux: struct ifreq is a name and then what the request is about.
const TUNSETIFF = 0x400454ca;
const IFF_TUN = 0x0001;
const IFF_NO_PI = 0x1000;
/** The name must be new. */
const IFF_TUN_EXCL = 0x8000;
const SIOCGIFFLAGS = 0x8913;
const SIOCSIFFLAGS = 0x8914;
const SIOCSIFADDR = 0x8916;
const SIOCSIFNETMASK = 0x891c;
const SIOCSIFMTU = 0x8922;
const IFF_UP = 1;
const NAME_BYTES = 16;
const REQUEST_BYTES = 40;
const AF_INET = 2;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;

/** Without an address loose reverse-path checks drop all of a device's packets; RFC 7600 keeps this one for such uses. */
const DUMMY_ADDRESS = [192, 0, 0, 8] as const;

const STRICT = 1;
const LOOSE = 2;

/**
 * Makes the TUN device through which unwrapped packets enter the host, up and ready. It is gone when the descriptor is
 * closed.
 * @returns its descriptor
 * @throws DeviceError
 */
export function openDecapDevice(name: string, mtu: number): number {
  const fd = openTun(name);
  try {
    allowAnySource(name);
    const configuration = new InterfaceConfiguration(name);
    try {
      if (reversePathOf('all') === LOOSE) configuration.setAddress(DUMMY_ADDRESS);
      configuration.setMtu(mtu);
      configuration.up();
    } finally {
      configuration.close();
    }
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return fd;
}

function openTun(name: string): number {
  let fd: number;
  try {
    fd = openSync('/dev/net/tun', 'r+');
  } catch (error) {
    const errno = negativeErrno(error);
    const help =
      errno === -ENOENT ? 'needs the TUN driver and its device node' : 'needs CAP_NET_ADMIN and access to it';
    throw new DeviceError('open /dev/net/tun', errno, help);
  }
  const { calls } = native();
  const arena = native().arena(REQUEST_BYTES);
  arena.bytes.write(name, 0, 'latin1');
  arena.view.setUint16(NAME_BYTES, IFF_TUN | IFF_NO_PI | IFF_TUN_EXCL, true);
  const result = native().syscall(calls.ioctl, fd, TUNSETIFF, arena.address);
  native().release(arena);
  if (result === 0) return fd;
  closeSync(fd);
  const help = { [-EPERM]: 'needs CAP_NET_ADMIN', [-EBUSY]: 'the name is taken' }[result];
  throw new DeviceError(`make device ${name}`, result, help);
}

/** Clients' addresses are routed elsewhere: a reverse-path check would drop their packets. */
function allowAnySource(name: string): void {
  if (reversePathOf('all') === STRICT) {
    throw new DeviceError(
      'receive from tunnels',
      'net.ipv4.conf.all.rp_filter is 1, which drops all that comes out of them',
      'set it to 0 or 2',
    );
  }
  if (reversePathOf(name) === 0) return;
  try {
    writeFileSync(reversePathFile(name), '0');
  } catch (error) {
    throw new DeviceError(
      `set net.ipv4.conf.${name}.rp_filter to 0`,
      negativeErrno(error),
      'net.ipv4.conf.default.rp_filter=0 before the start does the same',
    );
  }
}

const reversePathFile = (name: string): string => `/proc/sys/net/ipv4/conf/${name}/rp_filter`;

const reversePathOf = (name: string): number => Number(readFileSync(reversePathFile(name), 'utf8'));

/** Sets an interface up by ioctl, which needs no program. */
class InterfaceConfiguration {
  private readonly name: string;
  private readonly arena = native().arena(REQUEST_BYTES);
  private readonly fd: number;

  constructor(name: string) {
    this.name = name;
    this.fd = native().syscall(native().calls.socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (this.fd < 0) throw new DeviceError('open a socket', this.fd);
    this.arena.bytes.write(name, 0, 'latin1');
  }

  setMtu(mtu: number): void {
    this.arena.view.setInt32(NAME_BYTES, mtu, true);
    this.request(`set the MTU of ${this.name}`, SIOCSIFMTU);
  }

  /** Alone in its network. */
  setAddress(address: readonly number[]): void {
    this.requestAddress(SIOCSIFADDR, address);
    this.requestAddress(SIOCSIFNETMASK, [255, 255, 255, 255]);
  }

  up(): void {
    const operation = `bring ${this.name} up`;
    this.request(operation, SIOCGIFFLAGS);
    this.arena.view.setInt16(NAME_BYTES, this.arena.view.getInt16(NAME_BYTES, true) | IFF_UP, true);
    this.request(operation, SIOCSIFFLAGS);
  }

  close(): void {
    closeSync(this.fd);
    native().release(this.arena);
  }

  private requestAddress(request: number, address: readonly number[]): void {
    const { bytes, view } = this.arena;
    bytes.fill(0, NAME_BYTES, REQUEST_BYTES);
    view.setUint16(NAME_BYTES, AF_INET, true);
    bytes.set(address, NAME_BYTES + 4);
    this.request(`give ${this.name} an address`, request);
  }

  private request(operation: string, request: number): void {
    const result = native().syscall(native().calls.ioctl, this.fd, request, this.arena.address);
    if (result < 0) throw new DeviceError(operation, result);
  }
}
