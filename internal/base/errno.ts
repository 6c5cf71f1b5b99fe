/**
 * Error names, their numbers on Linux, macOS and Windows, and their texts.
 * Source: `<errno.h>` of each system (`WSAE*` of winsock2.h for Windows) and strerror(3) of glibc.
 *
 * @module
 */

type Row = readonly [
  linux: number,
  darwin: number,
  windows: number,
  text: string,
];

const TABLE = {
  EPERM: [1, 1, 1, "Operation not permitted"],
  ENOENT: [2, 2, 2, "No such file or directory"],
  EINTR: [4, 4, 10004, "Interrupted system call"],
  EIO: [5, 5, 5, "Input/output error"],
  EBADF: [9, 9, 10038, "Bad file descriptor"],
  EAGAIN: [11, 35, 10035, "Resource temporarily unavailable"],
  ENOMEM: [12, 12, 12, "Cannot allocate memory"],
  EACCES: [13, 13, 10013, "Permission denied"],
  EFAULT: [14, 14, 10014, "Bad address"],
  EBUSY: [16, 16, 16, "Device or resource busy"],
  EEXIST: [17, 17, 17, "File exists"],
  ENODEV: [19, 19, 19, "No such device"],
  ENOTDIR: [20, 20, 20, "Not a directory"],
  EISDIR: [21, 21, 21, "Is a directory"],
  EINVAL: [22, 22, 10022, "Invalid argument"],
  ENFILE: [23, 23, 23, "Too many open files in system"],
  EMFILE: [24, 24, 10024, "Too many open files"],
  EPIPE: [32, 32, 32, "Broken pipe"],
  ENAMETOOLONG: [36, 63, 10063, "File name too long"],
  EPROTO: [71, 100, 134, "Protocol error"],
  ENOTSOCK: [88, 38, 10038, "Socket operation on non-socket"],
  EDESTADDRREQ: [89, 39, 10039, "Destination address required"],
  EMSGSIZE: [90, 40, 10040, "Message too long"],
  ENOPROTOOPT: [92, 42, 10042, "Protocol not available"],
  EPROTONOSUPPORT: [93, 43, 10043, "Protocol not supported"],
  EOPNOTSUPP: [95, 102, 10045, "Operation not supported"],
  EAFNOSUPPORT: [97, 47, 10047, "Address family not supported by protocol"],
  EADDRINUSE: [98, 48, 10048, "Address already in use"],
  EADDRNOTAVAIL: [99, 49, 10049, "Cannot assign requested address"],
  ENETDOWN: [100, 50, 10050, "Network is down"],
  ENETUNREACH: [101, 51, 10051, "Network is unreachable"],
  ECONNABORTED: [103, 53, 10053, "Software caused connection abort"],
  ECONNRESET: [104, 54, 10054, "Connection reset by peer"],
  ENOBUFS: [105, 55, 10055, "No buffer space available"],
  EISCONN: [106, 56, 10056, "Transport endpoint is already connected"],
  ENOTCONN: [107, 57, 10057, "Transport endpoint is not connected"],
  ESHUTDOWN: [108, 58, 10058, "Cannot send after transport endpoint shutdown"],
  ETIMEDOUT: [110, 60, 10060, "Connection timed out"],
  ECONNREFUSED: [111, 61, 10061, "Connection refused"],
  EHOSTDOWN: [112, 64, 10064, "Host is down"],
  EHOSTUNREACH: [113, 65, 10065, "No route to host"],
  EALREADY: [114, 37, 10037, "Operation already in progress"],
  EINPROGRESS: [115, 36, 10036, "Operation now in progress"],
} satisfies Record<string, Row>;

/** The name of an OS error, such as `"ECONNRESET"`. */
export type ErrnoName = keyof typeof TABLE;

const COLUMN = Deno.build.os === "windows"
  ? 2
  : Deno.build.os === "darwin"
  ? 1
  : 0;

const NAMES = new Map<number, ErrnoName>(
  (Object.keys(TABLE) as ErrnoName[]).map((
    name,
  ) => [TABLE[name][COLUMN], name]),
);

/** Reports whether `name` is an error name of this table. */
export function isErrnoName(name: unknown): name is ErrnoName {
  return typeof name === "string" && Object.hasOwn(TABLE, name);
}

/** Returns the number of an error on this system. */
export function errnoOf(name: ErrnoName): number {
  return TABLE[name][COLUMN];
}

/** Returns the name of an error number of this system. */
export function errnoName(errno: number): ErrnoName | undefined {
  return NAMES.get(errno);
}

/** Returns the text of an error, as strerror(3) does. */
export function strerror(name: ErrnoName): string {
  return TABLE[name][3];
}
