import type { Errno, IpvsError } from '../core/errors.ts';
import type { CommandName } from './commands.ts';

type Texts = Partial<Record<Errno, string>>;

/** What an errno means for a command. */
const BY_COMMAND: Partial<Record<CommandName, Texts>> = {
  'add-service': { EEXIST: 'Service already exists', ENOENT: 'Scheduler or persistence engine not found' },
  'edit-service': { ESRCH: 'No such service', ENOENT: 'Scheduler or persistence engine not found' },
  'delete-service': { ESRCH: 'No such service' },
  'add-server': { ESRCH: 'Service not defined', EEXIST: 'Destination already exists' },
  'edit-server': { ESRCH: 'Service not defined', ENOENT: 'No such destination' },
  'delete-server': { ESRCH: 'Service not defined', ENOENT: 'No such destination' },
  zero: { ESRCH: 'No such service' },
  'start-daemon': { EEXIST: 'Daemon has already run' },
  'stop-daemon': { ESRCH: 'No daemon is running' },
};

/** What an errno means for a listing of one service. */
const OF_ONE_SERVICE: Texts = { ESRCH: 'No such service' };

/** What an errno means for every command, where ipvsadm has words of its own. */
const OWN_WORDS: Texts = {
  EPERM: 'Permission denied (you must be root)',
  EINVAL: 'Invalid operation.  Possibly wrong module version, address not unicast, ...',
  ENOMEM: 'Memory allocation problem',
  EMSGSIZE: 'Module is wrong version',
  EOPNOTSUPP: 'Operation not supported with IPv6',
  EAFNOSUPPORT: 'Operation not supported with specified address family',
};

/** strerror(3) of the C library. */
const STRERROR: Readonly<Record<Errno, string>> = {
  EPERM: 'Operation not permitted',
  ENOENT: 'No such file or directory',
  ESRCH: 'No such process',
  EINTR: 'Interrupted system call',
  EIO: 'Input/output error',
  EAGAIN: 'Resource temporarily unavailable',
  ENOMEM: 'Cannot allocate memory',
  EACCES: 'Permission denied',
  EEXIST: 'File exists',
  ENODEV: 'No such device',
  EINVAL: 'Invalid argument',
  EMFILE: 'Too many open files',
  ENOSPC: 'No space left on device',
  EROFS: 'Read-only file system',
  ERANGE: 'Numerical result out of range',
  ELOOP: 'Too many levels of symbolic links',
  EMSGSIZE: 'Message too long',
  EPROTONOSUPPORT: 'Protocol not supported',
  EOPNOTSUPP: 'Operation not supported',
  EAFNOSUPPORT: 'Address family not supported by protocol',
  EADDRINUSE: 'Address already in use',
  EADDRNOTAVAIL: 'Cannot assign requested address',
  ENETUNREACH: 'Network is unreachable',
  ENOBUFS: 'No buffer space available',
  EDQUOT: 'Disk quota exceeded',
};

/** Refusals that a kernel would not make: our director says why. */
const OURS: ReadonlySet<Errno> = new Set<Errno>([
  'EINTR',
  'EIO',
  'EAGAIN',
  'EACCES',
  'EMFILE',
  'ENOSPC',
  'EROFS',
  'ELOOP',
  'EPROTONOSUPPORT',
  'EOPNOTSUPP',
  'EADDRINUSE',
  'EADDRNOTAVAIL',
  'ENOBUFS',
  'EDQUOT',
]);

/** @returns what ipvsadm prints about a refused command, with the reason of our director where no kernel has one. */
export function refusalText(command: CommandName, error: IpvsError, ofOneService = false): string {
  const byCommand = ofOneService ? OF_ONE_SERVICE : BY_COMMAND[command];
  const text = byCommand?.[error.errno] ?? generalText(error.errno);
  return `${text}\n${reasonLine(error)}`;
}

/** @returns what ipvsadm says about an errno whatever the command is. */
export function generalText(errno: Errno): string {
  return OWN_WORDS[errno] ?? STRERROR[errno];
}

function reasonLine(error: IpvsError): string {
  return OURS.has(error.errno) && error.message !== '' ? `uipvs: ${error.message}\n` : '';
}
