/**
 * The setting `acceptIn`: checks which hooks and settings need a server that accepts by itself, and makes the stand-in of
 * a connection that a child or a worker has accepted.
 *
 * @module
 */

import { AF_UNIX, SOCK_STREAM } from "../base/constants.ts";
import { inspect } from "../runtime/system/deno_api.ts";
import { Socket } from "../socket/socket_object.ts";

/** Where connections are accepted, if not by the server itself. */
export type AcceptPlace = "children" | "workers";

/**
 * The methods that a server calls between the accept of a connection and its handler, and when the handler has ended. A
 * child or a worker has no server whose methods it could call.
 */
const HOOKS = [
  "getRequest",
  "verifyRequest",
  "verifyPeer",
  "rejectRequest",
  "processRequest",
  "processRequestTask",
  "finishRequest",
  "shutdownRequest",
  "closeRequest",
  "handleAcceptError",
  "handleShortage",
  "handleHandshakeError",
] as const;

/** The values that are refused for a setting, and the reason, in which `$` stands for the place. */
interface Refusal {
  readonly refuses: (value: unknown) => boolean;
  readonly reason: string;
}

const isLimit = (value: unknown) => value !== undefined && value !== Infinity;

/** The settings that need one place that sees all connections, or the server between the client and the handler. */
const EVERYWHERE: Readonly<Record<string, Refusal>> = {
  maxConnectionsPerClient: {
    refuses: isLimit,
    reason: "none of the $ knows the clients of the others",
  },
  maxAcceptRate: {
    refuses: isLimit,
    reason: "none of the $ knows when the others accept",
  },
  ssl: {
    refuses: (value) => value !== undefined && value !== null,
    reason: "the server makes the handshakes, and the $ get the connections",
  },
  proxyTrusted: {
    refuses: (value) => value !== undefined,
    reason: "the server reads PROXY headers, and the $ get the connections",
  },
};

const SETTINGS: Record<AcceptPlace, Readonly<Record<string, Refusal>>> = {
  children: {
    ...EVERYWHERE,
    maxConnectionsPolicy: {
      refuses: (value) => value === "reject",
      reason: "none of the $ knows whether the others are full",
    },
    allowReusePort: {
      refuses: (value) => value === true,
      reason: "such a socket cannot be passed to the $",
    },
    addressFamily: {
      refuses: (value) => value === AF_UNIX,
      reason: "Deno removes the path of a socket that only the $ accept on",
    },
  },
  workers: {
    ...EVERYWHERE,
    allowReusePort: {
      refuses: (value) => value === true,
      reason: "the $ share one socket",
    },
    addressFamily: {
      refuses: (value) => value === AF_UNIX,
      reason: "a Unix socket cannot be shared by the $",
    },
  },
};

/** The reasons to refuse a socket that is bound already. */
const BOUND_SOCKET_REASONS: Record<AcceptPlace, string> = {
  children:
    "this process has accepted on it, and the children could not get that",
  workers: "each worker opens its own",
};

/** A class of servers. */
interface ServerClass {
  readonly name: string;
  readonly prototype: object;
}

/** The prototypes of the module's own classes. Their methods are not overrides. */
export const ownServers: WeakSet<object> = new WeakSet();

/**
 * Returns where a server accepts: `acceptIn` of its options, or else of its class.
 *
 * @param Class The class.
 * @param args The arguments of the constructor: the address, the handler class, and the options.
 * @param place The place that the mix-in has besides `"parent"`.
 * @throws {TypeError} if the value is neither, or if the server cannot do without its own accepts.
 */
export function acceptInOf<P extends AcceptPlace>(
  Class: ServerClass,
  args: readonly unknown[],
  place: P,
): "parent" | P {
  const acceptIn = checkAcceptIn(wantedOf(Class, args[2]), place);
  if (acceptIn === place) checkAcceptsElsewhere(Class, args, place);
  readsAcceptIn.add(Class);
  return acceptIn;
}

/** The classes whose mix-in reads `acceptIn`. */
const readsAcceptIn = new WeakSet<object>();

/** Returns `acceptIn` of the options, or else of the class. */
function wantedOf(Class: ServerClass, options: unknown): unknown {
  const given = Object(options) as { acceptIn?: unknown };
  return given.acceptIn ?? (Class as { acceptIn?: unknown }).acceptIn;
}

/**
 * Checks that a server without a mix-in for workers or children is not to accept there.
 *
 * @throws {TypeError} if its options or its class say so.
 */
export function checkAcceptsItself(Class: ServerClass, options: unknown): void {
  const acceptIn = wantedOf(Class, options) ?? "parent";
  if (acceptIn === "parent" || readsAcceptIn.has(Class)) return;
  throw new TypeError(
    `Cannot set acceptIn: ${Class.name} has no workers and no children, so it must be "parent", got ${
      inspect(acceptIn)
    }; use ThreadingMixIn for "workers", and ForkingMixIn for "children"`,
  );
}

/** Throws unless `acceptIn` is `"parent"` or the place that the mix-in has besides. */
function checkAcceptIn<P extends AcceptPlace>(
  value: unknown,
  place: P,
): "parent" | P {
  if (value === "parent" || value === place) return value as "parent" | P;
  throw new TypeError(
    `Cannot set acceptIn: it must be "parent" or "${place}", got ${
      inspect(value)
    }`,
  );
}

/**
 * Checks that a class of servers and its settings can do without the server's own accepts.
 *
 * @param Class The class.
 * @param args The arguments of the constructor: the address, the handler class, and the options.
 * @param place Where connections are accepted.
 * @throws {TypeError} that names the hook or the setting, and the reason.
 */
function checkAcceptsElsewhere(
  Class: ServerClass,
  [address, , options]: readonly unknown[],
  place: AcceptPlace,
): void {
  const statics = Class as unknown as Record<string, unknown>;
  const given = Object(options) as Record<string, unknown>;
  const doing = `Cannot make a ${Class.name} with acceptIn "${place}"`;
  if (statics.socketType !== SOCK_STREAM) {
    throw new TypeError(
      `${doing}: that is for servers of streams, and this one is for datagrams`,
    );
  }
  if (address instanceof Socket) {
    throw new TypeError(
      `${doing}: it cannot have a socket that is bound already, because ${
        BOUND_SOCKET_REASONS[place]
      }; use acceptIn "parent"`,
    );
  }
  checkHooks(overridden(Class.prototype), doing, place);
  for (const name of Object.keys(SETTINGS[place])) {
    checkSetting(name, given[name] ?? statics[name], doing, place);
  }
}

/**
 * Checks a server as it begins to serve: a program may have set a hook or a setting of the object meanwhile.
 *
 * @throws {TypeError} that names the hook or the setting, and the reason.
 */
export function checkServesElsewhere(server: object, place: AcceptPlace): void {
  const doing =
    `Cannot serve with a ${server.constructor.name} and acceptIn "${place}"`;
  checkHooks(HOOKS.filter((name) => Object.hasOwn(server, name)), doing, place);
  const values = server as Record<string, unknown>;
  for (const name of Object.keys(SETTINGS[place])) {
    checkSetting(name, values[name], doing, place);
  }
}

/**
 * Checks a setting that changes while a server runs.
 *
 * @throws {TypeError} if it cannot have that value.
 */
export function checkChange(
  place: AcceptPlace | undefined,
  name: string,
  value: unknown,
): void {
  if (place === undefined) return;
  checkSetting(
    name,
    value,
    `Cannot change a server that has acceptIn "${place}"`,
    place,
  );
}

/** Returns the error of a call of `handleRequest` while the children or workers accept. */
export function cannotHandleOne(place: AcceptPlace): Error {
  return new Error(
    `Cannot handle a single request with acceptIn "${place}": the ${place} accept by themselves; use serveForever(), or acceptIn "parent"`,
  );
}

/**
 * Returns a closed socket. It stands for the connection of a request that a child or a worker has accepted, because the
 * connection itself is not in this thread.
 */
export function closedSocket(family: number): Socket {
  const socket = new Socket(family, SOCK_STREAM);
  socket.close();
  return socket;
}

/** Throws if a setting has a value that the place refuses. */
function checkSetting(
  name: string,
  value: unknown,
  doing: string,
  place: AcceptPlace,
): void {
  const setting = SETTINGS[place][name];
  if (setting === undefined || !setting.refuses(value)) return;
  const reason = setting.reason.replace("$", place);
  throw new TypeError(
    `${doing}: it cannot have ${name}, because ${reason}; use acceptIn "parent"`,
  );
}

/** Throws if there are overridden hooks that the place does not call. */
function checkHooks(
  names: readonly string[],
  doing: string,
  place: AcceptPlace,
): void {
  if (names.length === 0) return;
  throw new TypeError(
    `${doing}: it overrides ${
      names.join(" and ")
    }, which is not called if the ${place} accept; use acceptIn "parent"`,
  );
}

/** Returns the hooks that a class or a class below it overrides. */
function overridden(prototype: object): string[] {
  const found = new Set<string>();
  for (
    let at: object | null = prototype;
    at !== null && at !== Object.prototype;
    at = Object.getPrototypeOf(at)
  ) {
    if (ownServers.has(at)) continue;
    for (const name of HOOKS) if (Object.hasOwn(at, name)) found.add(name);
  }
  return HOOKS.filter((name) => found.has(name));
}
