/**
 * What code may do that runs elsewhere. A worker has the permissions of this process, and reads its modules
 * itself; those of a child process are named one by one, and never wider than those of this process.
 *
 * @module
 */

import type { AddressLike } from "../base/address.ts";
import { AF_INET, AF_INET6 } from "../base/constants.ts";
import { inetPton, isIPv4, isIPv6 } from "../base/inet.ts";
import { osError, PermissionError } from "../base/errors.ts";
import {
  hasPermission,
  inspect,
  isStandalone,
  queryPermission,
} from "../runtime/deno.ts";

/**
 * Throws where a worker may not read the module: workers read modules from the disk themselves.
 *
 * @param urls What the worker loads first.
 * @throws {PermissionError} that names the flag to add.
 */
export function checkReadable(...urls: string[]): void {
  for (const url of urls) {
    if (!url.startsWith("file:")) continue;
    if (
      queryPermission({ name: "read", path: new URL(url) }).state === "granted"
    ) {
      continue;
    }
    throw osError("EACCES", {
      syscall: "run handlers in workers",
      reason:
        `a worker reads its modules from the disk, such as ${url}; run again with --allow-read`,
    });
  }
}

/**
 * What the child processes of a forking server may do, as in `deno run --allow-...`. True is all that the
 * flag without a value allows, a list narrows it, and what is left out, or false, is not allowed.
 * A child gets nothing that this process does not have itself.
 */
export interface ChildPermissions {
  /**
   * Hosts, with or without port, as in `--allow-net`. The client's connection needs none, nor does a datagram to the
   * client. A name is passed on as a name: a denial of the address behind it is not seen.
   */
  net?: boolean | string[];
  /** Paths, as in `--allow-read`. The handler's module and its imports need none. */
  read?: boolean | string[];
  /** Paths, as in `--allow-write`. */
  write?: boolean | string[];
  /** Names of environment variables, as in `--allow-env`. */
  env?: boolean | string[];
  /** Kinds of information, such as `"hostname"`, as in `--allow-sys`. */
  sys?: boolean | string[];
  /** Programs, as in `--allow-run`. A child that may run programs can do more than it may itself. */
  run?: boolean | string[];
  /** Paths of libraries, as in `--allow-ffi`. */
  ffi?: boolean | string[];
  /** Hosts from which code may come, as in `--allow-import`; left out, those of the handler's module and of this one. */
  import?: boolean | string[];
}

type Kind = keyof ChildPermissions;

/** The kinds, and the key under which a query names one value. */
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
 * The flags of `deno run` for what is allowed. What is not is denied by name: `fork` gives a child
 * all permissions when it finds no flag about them.
 *
 * @param permissions What is allowed.
 * @param modules The code that the child loads: where nothing says from which hosts code may come, it is theirs.
 * @throws {TypeError} when it is not of the right shape.
 * @throws {PermissionError} when this process may not do all of it itself.
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

/** The hosts of modules on the web, as far as this process may import code from there itself. */
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

/** One value of a list. A comma would end it in the flag, and what follows would not have been checked. */
function checkValue(kind: Kind, value: unknown): void {
  if (typeof value !== "string" || value === "" || value.includes(",")) {
    throw new TypeError(
      `Cannot set childPermissions.${kind}: each value must be a string without a comma, got ${
        inspect(value)
      }`,
    );
  }
  if (hasPermission({ name: kind })) return; // all of the kind: no value is more
  if (!mayPass(kind, value)) refuse(kind, value);
}

/**
 * Whether this process has all that a value stands for, where it does not have all of the kind. Deno (2.9.6) tells of
 * a path below which one is denied, but takes a pattern, a subnet or a host without a port for a single name. So only
 * names are passed on, and a host without a port where each port is granted.
 */
function mayPass(kind: Kind, value: string): boolean {
  if (kind === "net" || kind === "import") {
    return expandHost(value).every((host) => mayReach(kind, host));
  }
  if (kind === "env" && value.includes("*")) return false;
  return hasPermission({ name: kind, [KINDS[kind]]: value });
}

/** What `deno run` makes of `:80`, which is no name of a host to a query. */
export function expandHost(value: string): string[] {
  return /^:\d+$/.test(value)
    ? ["0.0.0.0", "127.0.0.1", "localhost"].map((host) => host + value)
    : [value];
}

/** One host: with its port, or with all. */
function mayReach(kind: "net" | "import", host: string): boolean {
  if (/[*/]/.test(host) && !host.startsWith("unix:")) return false;
  if (!isGranted({ name: kind, host })) return false;
  return !/^([^:]*|\[.*\])$/.test(host) || everyPort(kind, host);
}

/** Hosts whose ports are all granted. None can be taken away without the host, which is asked for each time. */
const whole = new Set<string>();

/** Whether each port of a host is granted: some 300 ms, the first time. */
function everyPort(kind: "net" | "import", host: string): boolean {
  const name = `${kind} ${host}`;
  if (whole.has(name)) return true;
  for (let port = 0; port <= 65535; port++) {
    if (!isGranted({ name: kind, host: `${host}:${port}` })) return false;
  }
  whole.add(name);
  return true;
}

/** Whether a value is granted; one that has no meaning for Deno is not. */
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

/** The program of the children. */
export function execPath(): string {
  return globalThis.process.execPath;
}

/**
 * Throws unless this process may start children.
 *
 * @throws {Error} in a program that was made by `deno compile`: a child would be the program itself once more.
 * @throws {PermissionError} with the flag that is missing.
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
 * Whether a child may have the server's socket send a datagram to an address: where it could send there itself. Names
 * in the list do not count, for an address does not say which it had.
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

/** Whether a value of a list stands for an address: `10.0.0.1`, `[::1]:53`, `10.0.0.0/8:53`. */
function covers(value: string, [host, port]: AddressLike): boolean {
  const parts = /^(\[.*?\]|[^:/]*)(?:\/(\d+))?(?::(\d+))?$/.exec(value);
  if (parts === null) return false;
  if (parts[3] !== undefined && Number(parts[3]) !== port) return false;
  const [wanted, given] = [bitsOf(parts[1]), bitsOf(host as string)];
  if (wanted === undefined || given?.length !== wanted.length) return false;
  const count = Number(parts[2] ?? wanted.length);
  return wanted.slice(0, count) === given.slice(0, count);
}

/** The bits of an IP address as text. */
function bitsOf(host: string): string | undefined {
  const literal = host.replace(/^\[|\]$/g, "");
  const family = isIPv4(literal) ? AF_INET : AF_INET6;
  if (family === AF_INET6 && !isIPv6(literal)) return;
  const bytes = inetPton(family, literal);
  return Array.from(bytes, (byte: number) => byte.toString(2).padStart(8, "0"))
    .join("");
}
