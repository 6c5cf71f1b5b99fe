/**
 * The setup of handlers that the async and the blocking ones share.
 *
 * @module
 */

import { IPPROTO_TCP, TCP_NODELAY } from "../base/constants.ts";
import { onLongLine } from "../files/lines.ts";
import type { MakefileHooks, MakefileOptions } from "../files/makefile.ts";
import type { Tied } from "../files/raw_streams.ts";
import {
  type LimitedHandler,
  noteHandlerLimit,
} from "../requests/note_limit.ts";

/** The properties that hold the members. An own property for each by `defineProperty` would cost a request 0.7 us. */
const HELD: Record<string, symbol> = {
  connection: Symbol("connection"),
  packet: Symbol("packet"),
  socket: Symbol("socket"),
  rfile: Symbol("rfile"),
  wfile: Symbol("wfile"),
};

/**
 * Defines the members that `setup` sets. To read one before that throws: an override of `setup` has not called
 * `super.setup()`.
 */
export function setBySetup<T extends object>(
  prototype: T,
  names: readonly (keyof T & string)[],
): void {
  for (const name of names) {
    const held = HELD[name];
    Object.defineProperty(prototype, name, {
      configurable: true,
      get(this: Record<symbol, unknown>) {
        const value = this[held];
        if (value !== undefined) return value;
        throw notSetUp(this, name);
      },
      set(this: Record<symbol, unknown>, value: unknown) {
        this[held] = value;
      },
    });
  }
}

/** Creates the error of a use of what `setup` has not set. */
export function notSetUp(handler: object, name: string): TypeError {
  return new TypeError(
    `Cannot use ${name} of ${handler.constructor.name}: its setup() must call super.setup() first, and await it`,
  );
}

/** Reports whether `setup` has set a member. */
export function isSetUp(handler: object, name: string): boolean {
  return Object.hasOwn(handler, HELD[name]);
}

/** Throws if the request of a handler for connections is a datagram; the message names the class to extend. */
function checkConnection(
  handler: { request: unknown },
  cure: string,
): void {
  if (!Array.isArray(handler.request)) return;
  throw new TypeError(
    `Cannot handle a datagram with ${handler.constructor.name}: extend ${cure}`,
  );
}

/** The settings of handlers for connections, and their defaults. */
const DEFAULTS: Record<string, unknown> = {
  rbufsize: -1,
  wbufsize: 0,
  lineLimit: 65536,
  timeout: null,
  disableNagleAlgorithm: false,
};

const checked = new WeakSet<object>();

/** Throws if the class of a handler has a setting as a static field, which has no effect. Looks at each class once. */
export function checkSettings(handler: object): void {
  const { constructor } = handler;
  if (checked.has(constructor)) return;
  for (const [name, value] of Object.entries(DEFAULTS)) {
    if (!(name in constructor)) continue;
    if ((handler as Record<string, unknown>)[name] !== value) continue;
    throw new TypeError(
      `Cannot handle a request with ${
        constructor.name || "the handler"
      }: its ${name} is a static field; write override ${name} = ... without static`,
    );
  }
  checked.add(constructor);
}

/** The methods of a connected socket, async or blocking, that set it up. */
interface Connection {
  settimeout(seconds: number | null): void;
  setsockopt(level: number, name: number, value: boolean): void;
  makefile(mode: "rb" | "wb", options: MakefileOptions): unknown;
}

/** A handler for connections, async or blocking: its settings, and the members that `setup` sets. */
interface StreamHandler<C extends Connection, W extends Tied> {
  readonly rbufsize: number;
  readonly wbufsize: number;
  readonly lineLimit: number;
  readonly timeout: number | null;
  readonly disableNagleAlgorithm: boolean;
  readonly request: C;
  connection: C;
  rfile: unknown;
  wfile: W;
}

/**
 * Checks the settings of a handler, applies them to its connection, and opens its files. `wfile` is sent before `rfile`
 * has to wait.
 *
 * @param handler The handler.
 * @param cure The class to extend for a request that is a datagram.
 */
export function openFiles<C extends Connection, W extends Tied>(
  handler: StreamHandler<C, W>,
  cure: string,
): void {
  checkSettings(handler);
  checkConnection(handler, cure);
  const { rbufsize, wbufsize, lineLimit, timeout } = handler;
  const connection = handler.connection = handler.request;
  if (timeout !== null) connection.settimeout(timeout);
  if (handler.disableNagleAlgorithm) {
    connection.setsockopt(IPPROTO_TCP, TCP_NODELAY, true);
  }
  handler.wfile = connection.makefile("wb", { buffering: wbufsize }) as W;
  const options: MakefileOptions & MakefileHooks = {
    buffering: rbufsize,
    lineLimit,
    tie: handler.wfile,
    handler,
  };
  handler.rfile = connection.makefile("rb", options);
}

onLongLine((handler) =>
  noteHandlerLimit(handler as LimitedHandler, "lineLimit")
);
