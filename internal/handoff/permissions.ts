/**
 * The permissions of workers and child processes. A worker has the permissions of this process, and reads its modules
 * itself. The permissions of a child process are named one by one, and are never wider than those of this process.
 *
 * @module
 */

import type { AddressLike } from "../base/address.ts";
import { AF_INET, AF_INET6 } from "../base/constants.ts";
import { inetPton, isIPv4, isIPv6 } from "../base/inet.ts";
import { PermissionError } from "../base/errors.ts";
import { osError } from "../base/translate_error.ts";
import {
  hasPermission,
  inspect,
  isStandalone,
  queryPermission,
} from "../runtime/system/deno_api.ts";

/**
 * Checks that a worker may read its modules: it reads them from the disk itself.
 *
 * @param urls The modules that the worker loads first.
 * @throws {PermissionError} that names the flag to add.
 */
export function checkReadable(...urls: string[]): void {
  for (const url of urls) {
    if (!url.startsWith("file:")) continue;
    const read = { name: "read", path: new URL(url) };
    if (queryPermission(read).state === "granted") continue;
    throw osError("EACCES", {
      syscall: "run handlers in workers",
      reason:
        `a worker reads its modules from the disk, such as ${url}; run again with --allow-read`,
    });
  }
}

/**
 * The permissions of the child processes of a forking server, as in `deno run --allow-...`. `true` allows all of a kind,
 * a list allows its values, and `false` or no value allows nothing. A child gets no permission that this process does
 * not have itself.
 *
 * @category Options
 */
export interface ChildPermissions {
  /**
   * Hosts, with or without a port, as in `--allow-net`. The client's connection and datagrams to the client need no
   * permission. A name is passed on as a name: a denial of its address is not noticed.
   */
  net?: boolean | string[];
  /** Paths, as in `--allow-read`. The handler's module and its imports need no permission. */
  read?: boolean | string[];
  /** Paths, as in `--allow-write`. */
  write?: boolean | string[];
  /** Names of environment variables, as in `--allow-env`. */
  env?: boolean | string[];
  /** Kinds of information, such as `"hostname"`, as in `--allow-sys`. */
  sys?: boolean | string[];
  /** Programs, as in `--allow-run`. A program that a child runs is not bound by the permissions of the child. */
  run?: boolean | string[];
  /** Paths of libraries, as in `--allow-ffi`. */
  ffi?: boolean | string[];
  /**
   * Hosts to import code from, as in `--allow-import`. The default is the hosts of the handler's module and of this
   * one.
   */
  import?: boolean | string[];
}

type Kind = keyof ChildPermissions;

/** The kinds of permissions, and the property of a query that holds a single value. */
const KINDS: Record<Kind, string> = {
  net: "host",
  read: "path",
  write: "path",
  env: "variable",
  sys: "kind",
  run: "command",
  ffi: "path",
  import: "host",
};

/**
 * Returns the flags of `deno run` for permissions. Denies all other kinds by name: `fork` gives a child all permissions
 * if it finds no flag about them.
 *
 * @param permissions The permissions of the child.
 * @param modules The modules that the child loads; their hosts are the default of `import`.
 * @throws {TypeError} if the permissions do not have the right shape.
 * @throws {PermissionError} if this process does not have all of them itself.
 */
export function permissionFlags(
  permissions: ChildPermissions,
  modules: readonly string[] = [],
): string[] {
  for (const name of Object.keys(permissions)) {
    if (Object.hasOwn(KINDS, name)) continue;
    throw new TypeError(
      `Cannot set childPermissions: ${JSON.stringify(name)} is not one of ${
        Object.keys(KINDS).join(", ")
      }`,
    );
  }
  const kinds = Object.keys(KINDS) as Kind[];
  const flags = kinds.map((kind) =>
    kind === "import" && permissions.import === undefined
      ? importFlag(modules)
      : flagFor(kind, permissions[kind])
  );
  return ["--no-prompt", ...flags];
}

function flagFor(kind: Kind, value: unknown): string {
  if (value === undefined || value === false) return `--deny-${kind}`;
  if (value === true) {
    if (!hasPermission({ name: kind })) refuse(kind);
    return `--allow-${kind}`;
  }
  if (!Array.isArray(value)) {
    throw new TypeError(
      `Cannot set childPermissions.${kind}: it must be true, false or a list of strings, got ${
        inspect(value)
      }`,
    );
  }
  for (const one of value) checkValue(kind, one);
  return value.length === 0
    ? `--deny-${kind}`
    : `--allow-${kind}=${value.join(",")}`;
}

/** Returns the flag for importing from the hosts of modules on the web, if this process may import from them itself. */
function importFlag(modules: readonly string[]): string {
  const urls = modules.map((module) => new URL(module));
  const remote = urls.filter(({ protocol }) => /^https?:$/.test(protocol));
  const hosts = remote.map(({ protocol, hostname, port }) =>
    `${hostname}:${port || (protocol === "https:" ? 443 : 80)}`
  ).filter((host) => hasPermission({ name: "import", host }));
  return hosts.length === 0
    ? "--deny-import"
    : `--allow-import=${[...new Set(hosts)].join(",")}`;
}

/** Checks one value of a list. A comma would end the value in the flag, and pass on the rest unchecked. */
function checkValue(kind: Kind, value: unknown): void {
  if (typeof value !== "string" || value === "" || value.includes(",")) {
    throw new TypeError(
      `Cannot set childPermissions.${kind}: each value must be a string without a comma, got ${
        inspect(value)
      }`,
    );
  }
  if (hasPermission({ name: kind })) return; // all of the kind includes each value
  if (!mayPass(kind, value)) refuse(kind, value);
}

/**
 * Reports whether this process, which lacks all of the kind, has everything that a value covers. Deno (2.9.6) reports a path
 * with a denied path below it, but takes a pattern, a subnet or a host without a port for a single name. So only names are
 * passed on, and a host without a port only if each port is granted.
 */
function mayPass(kind: Kind, value: string): boolean {
  if (kind === "net" || kind === "import") {
    return expandHost(value).every((host) => mayReach(kind, host));
  }
  if (kind === "env" && value.includes("*")) return false;
  return hasPermission({ name: kind, [KINDS[kind]]: value });
}

/** Returns the hosts that `deno run` makes of `:80`, which a query does not accept. */
function expandHost(value: string): string[] {
  return /^:\d+$/.test(value)
    ? ["0.0.0.0", "127.0.0.1", "localhost"].map((host) => host + value)
    : [value];
}

/** Reports whether this process may reach a host: the port if it has one, or else each port. */
function mayReach(kind: "net" | "import", host: string): boolean {
  if (/[*/]/.test(host) && !host.startsWith("unix:")) return false;
  if (!isGranted({ name: kind, host })) return false;
  return !/^([^:]*|\[.*\])$/.test(host) || everyPort(kind, host);
}

/** The hosts whose ports are all granted. A port cannot be revoked without its host, which is queried each time. */
const wholeHosts = new Set<string>();

/** Reports whether each port of a host is granted. Takes some 300 ms the first time. */
function everyPort(kind: "net" | "import", host: string): boolean {
  const name = `${kind} ${host}`;
  if (wholeHosts.has(name)) return true;
  for (let port = 0; port <= 65535; port++) {
    if (!isGranted({ name: kind, host: `${host}:${port}` })) return false;
  }
  wholeHosts.add(name);
  return true;
}

/** Reports whether a value is granted; a value that Deno rejects is not. */
function isGranted(descriptor: object): boolean {
  try {
    return hasPermission(descriptor);
  } catch {
    return false;
  }
}

function refuse(kind: Kind, value?: string): never {
  const flag = `--allow-${kind}${value === undefined ? "" : `=${value}`}`;
  throw new PermissionError(
    `Cannot give a child process ${flag}: this process does not have all of that itself; ` +
      `run it with ${flag}, or narrow childPermissions.${kind}`,
    { code: "EACCES", syscall: "fork" },
  );
}

/** Returns the path of the program that runs the children. */
export function execPath(): string {
  return globalThis.process.execPath;
}

/**
 * Checks that this process may start children.
 *
 * @throws {Error} in a program made by `deno compile`: a child would be the program itself.
 * @throws {PermissionError} if a permission is missing; the message shows the flag.
 */
export function checkMayFork(): void {
  if (isStandalone()) {
    throw new Error(
      "Cannot make a forking server: in a program made by deno compile there is no Deno to start children with; " +
        "use ThreadingMixIn, or deno run",
    );
  }
  const command = execPath();
  need({ name: "run", command }, `--allow-run=${command}`);
  need(
    { name: "env", variable: "NODE_V8_COVERAGE" },
    "--allow-env=NODE_V8_COVERAGE", // node:child_process reads it to pass it on
  );
}

function need(descriptor: object, flag: string): void {
  if (queryPermission(descriptor).state === "granted") return;
  throw new PermissionError(
    `Cannot make a forking server: starting child processes needs ${flag}`,
    { code: "EACCES", syscall: "fork" },
  );
}

/**
 * Reports whether the server's socket may send a datagram of a child to an address: only if the child could send it
 * itself. Names in the list do not count, as an address does not show its name.
 */
export function maySendTo(
  { net, read, write }: ChildPermissions,
  address: AddressLike,
): boolean {
  if (typeof address === "string") {
    return net === true && read === true && write === true;
  }
  if (!Array.isArray(net)) return net === true;
  return net.flatMap(expandHost).some((value) => covers(value, address));
}

/** Reports whether a value such as `10.0.0.1`, `[::1]:53` or `10.0.0.0/8:53` includes an address. */
function covers(value: string, [host, port]: AddressLike): boolean {
  const parts = /^(\[.*?\]|[^:/]*)(?:\/(\d+))?(?::(\d+))?$/.exec(value);
  if (parts === null) return false;
  if (parts[3] !== undefined && Number(parts[3]) !== port) return false;
  const [wanted, given] = [bitsOf(parts[1]), bitsOf(host as string)];
  if (wanted === undefined || given?.length !== wanted.length) return false;
  const count = Number(parts[2] ?? wanted.length);
  return wanted.slice(0, count) === given.slice(0, count);
}

/** Returns the bits of an IP address as text; undefined for a name. */
function bitsOf(host: string): string | undefined {
  const literal = host.replace(/^\[|\]$/g, "");
  const family = isIPv4(literal) ? AF_INET : AF_INET6;
  if (family === AF_INET6 && !isIPv6(literal)) return;
  const bytes = inetPton(family, literal);
  return Array.from(bytes, (byte: number) => byte.toString(2).padStart(8, "0"))
    .join("");
}
