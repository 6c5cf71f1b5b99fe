/**
 * Checks a handler class: its `handle` method, and whether it fits the requests of its server.
 *
 * @module
 */

import { SOCK_DGRAM } from "../base/constants.ts";
import { awaitHint, typoOf } from "../base/message_hints.ts";
import { inspect } from "../runtime/system/deno_api.ts";
import type { Runnable } from "./request_stages.ts";

/** A handler class, for any type of request and server. */
// deno-lint-ignore no-explicit-any
export type HandlerClass = new (...args: any[]) => Runnable;

/** The prototypes of the module's own handler classes, whose `handle` does nothing. */
export const ownHandlers: WeakSet<object> = new WeakSet();

/** The prototypes of the handlers that block. */
export const blockingHandlers: WeakSet<object> = new WeakSet();

/** Throws for a blocking handler class if the server has no workers. */
export function checkBlocking(Handler: HandlerClass, Server: object): void {
  if ("maxWorkers" in Server) return;
  let prototype: object | null = Handler.prototype;
  while (prototype !== null && !blockingHandlers.has(prototype)) {
    prototype = Object.getPrototypeOf(prototype);
  }
  if (prototype === null) return;
  throw new TypeError(
    `Cannot make a server: ${
      Handler.name || "the handler"
    } is a blocking handler and needs a server with ThreadingMixIn; use a Threading server, or extend StreamRequestHandler`,
  );
}

/** Throws a TypeError unless `value` is a handler class whose `handle` is spelt right. */
export function checkHandlerClass(
  value: unknown,
): asserts value is HandlerClass {
  if (isHandler(value)) return checkSpelling(value);
  const made = Object(value).constructor;
  const got = isHandler(made)
    ? `an object of it: pass ${
      made.name || "the class"
    }, and the server makes one for each request`
    : `${inspect(value, { depth: 0, breakLength: Infinity })}${cureFor(value)}`;
  throw new TypeError(
    `Cannot make a server: RequestHandlerClass must be a class with a handle method, got ${got}`,
  );
}

/** Returns the hint for a value that is no handler class. */
function cureFor(value: unknown): string {
  if (value === undefined) return "; pass it after the address";
  if (typeof value === "number") return "; write the address as [host, port]";
  if (typeof value !== "function") return awaitHint(value);
  const wrong = misspelt(value);
  return wrong === undefined
    ? "; write class Handler extends StreamRequestHandler { override async handle() { ... } }"
    : `; rename ${wrong} to handle`;
}

/** Throws for a class that inherits a `handle` which does nothing, and has a method with nearly that name. */
function checkSpelling(Handler: HandlerClass): void {
  if (methodsOf(Handler.prototype).includes("handle")) return;
  const doing = `Cannot make a server: ${Handler.name || "the handler class"}`;
  if (Object.hasOwn(Handler, "handle")) {
    throw new TypeError(
      `${doing} has a static method handle, which is never called: write handle() without static`,
    );
  }
  const wrong = misspelt(Handler);
  if (wrong === undefined) return;
  throw new TypeError(
    `${doing} has a method ${wrong} and no handle: rename ${wrong} to handle`,
  );
}

/** Returns the method of a class whose name is a typo of `handle`. */
function misspelt(Class: { prototype: unknown }): string | undefined {
  return methodsOf(Object(Class.prototype)).find((name) =>
    typoOf(name, ["handle"]) !== undefined
  );
}

/** Returns the names of the methods that a program has given to its handlers, in its class or a base of it. */
function methodsOf(prototype: object | null): string[] {
  const names: string[] = [];
  while (
    prototype !== null && prototype !== Object.prototype &&
    !ownHandlers.has(prototype)
  ) {
    const own = Object.getOwnPropertyDescriptors(prototype);
    names.push(
      ...Object.keys(own).filter((name) =>
        name !== "constructor" && typeof own[name].value === "function"
      ),
    );
    prototype = Object.getPrototypeOf(prototype);
  }
  return names;
}

/**
 * Throws for a request whose handler does nothing: its class has methods, but none that the server calls. A class without
 * any method may be meant to do nothing.
 */
export function checkHandled(handler: object): void {
  const methods = methodsOf(Object.getPrototypeOf(handler));
  const called = ["setup", "handle", "finish"];
  if (methods.length === 0 || called.some((name) => methods.includes(name))) {
    return;
  }
  throw new TypeError(
    `Cannot handle a request with ${handler.constructor.name}: it has no method handle; rename ${
      methods.join(" or ")
    }, or write override async handle() { ... }`,
  );
}

/** Reports whether `value` is a handler class. */
export function isHandler(value: unknown): value is HandlerClass {
  return typeof value === "function" &&
    typeof value.prototype?.handle === "function";
}

/** A handler class for one kind of request. */
export interface HandlerKind {
  /** The name of the class. */
  readonly name: string;
  /** Whether its requests are datagrams; they are connections otherwise. */
  readonly datagrams: boolean;
  /** The class to extend for the other kind. */
  readonly instead: string;
}

/** The kinds, by the prototypes of the classes. */
export const handlerKinds: WeakMap<object, HandlerKind> = new WeakMap();

/**
 * The `getRequest` methods that return connections of a stream socket, or datagrams of a datagram socket. Other
 * overrides may return requests of any kind.
 */
export const standardGetRequests: WeakSet<object> = new WeakSet();

function handlerKindOf(
  Handler: { prototype: object },
): HandlerKind | undefined {
  let prototype: object | null = Handler.prototype;
  while (prototype !== null) {
    const kind = handlerKinds.get(prototype);
    if (kind !== undefined) return kind;
    prototype = Object.getPrototypeOf(prototype);
  }
}

/**
 * Throws unless the handlers fit the requests of a server.
 *
 * @param Handler The handler class.
 * @param socketType The type of the server's socket.
 * @param doing The beginning of the message.
 * @throws {TypeError} if they are for the other kind.
 */
export function checkHandlerKind(
  Handler: { name: string; prototype: object },
  socketType: number,
  doing: string,
): void {
  const datagrams = socketType === SOCK_DGRAM;
  const kind = handlerKindOf(Handler);
  if (kind === undefined || kind.datagrams === datagrams) return;
  const is = handlerKinds.has(Handler.prototype)
    ? ""
    : `is a ${kind.name}, which `;
  const [needs, has] = datagrams
    ? ["a connection", "a datagram"]
    : ["a datagram", "a connection"];
  throw new TypeError(
    `${doing}: ${Handler.name} ${is}needs ${needs} as its request, which is ${has} here; extend ${kind.instead}`,
  );
}
