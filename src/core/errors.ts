/** Linux errno numbers that the director or its clients use. */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EINTR: 4,
  EIO: 5,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EEXIST: 17,
  ENODEV: 19,
  EINVAL: 22,
  EMFILE: 24,
  ENOSPC: 28,
  EROFS: 30,
  ERANGE: 34,
  ELOOP: 40,
  EMSGSIZE: 90,
  EPROTONOSUPPORT: 93,
  EOPNOTSUPP: 95,
  EAFNOSUPPORT: 97,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ENETUNREACH: 101,
  ENOBUFS: 105,
  EDQUOT: 122,
} as const;

export type Errno = keyof typeof ERRNO;

/** A refused operation: the errno that the kernel's ABI carries, and a reason for people. */
export class IpvsError extends Error {
  override readonly name = 'IpvsError';
  readonly errno: Errno;
  constructor(errno: Errno, reason: string) {
    super(reason);
    this.errno = errno;
  }
}

/** @returns the name of an errno number, or `undefined` for one that is not in the table. */
export function errnoName(number: number): Errno | undefined {
  return (Object.keys(ERRNO) as Errno[]).find((name) => ERRNO[name] === number);
}
