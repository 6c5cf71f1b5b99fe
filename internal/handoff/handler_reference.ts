/**
 * What a worker or a child process is told of its server: where it finds the class of handlers, and options.
 *
 * @module
 */

import { inspect } from "../runtime/deno.ts";
import type { Runnable } from "../server/request_stages.ts";

/** A class of handlers, whatever its requests and its server are. */
// deno-lint-ignore no-explicit-any
export type HandlerClass = new (...args: any[]) => Runnable;

/** Which export of which module a class is. */
export interface HandlerReference {
  /** The URL of the module. */
  readonly moduleUrl: string;
  /** The name under which the module exports it. */
  readonly exportName: string;
}

/** Where handlers are run; for the messages. */
export type HandlerPlace = "in a worker" | "in another process";

/** What a class says about itself. */
type Statics = Partial<Record<"moduleUrl" | "exportName", unknown>>;

/**
 * Reads off a class where it comes from.
 *
 * @param Class The class of handlers.
 * @param place Where it shall run.
 * @throws {TypeError} when it does not say so; the message says what to write.
 */
export function handlerReference(
  Class: unknown,
  place: HandlerPlace,
): HandlerReference {
  checkHandlerClass(Class);
  // what a base class says is not about this one
  const own = (name: keyof Statics) =>
    Object.hasOwn(Class, name) ? (Class as Statics)[name] : undefined;
  const doing = `Cannot run ${Class.name || "the handler"} ${place}`;
  const moduleUrl = own("moduleUrl");
  if (typeof moduleUrl !== "string") {
    throw new TypeError(
      `${doing}: the class must be exported from its module and say where that is; write in the class itself: static readonly moduleUrl = import.meta.url`,
    );
  }
  if (!URL.canParse(moduleUrl)) {
    throw new TypeError(
      `${doing}: moduleUrl must be import.meta.url, got "${moduleUrl}"`,
    );
  }
  const exportName = own("exportName") ?? Class.name;
  if (typeof exportName !== "string" || exportName === "") {
    throw new TypeError(
      `${doing}: the class has no name; give it one, or write in it the name of its export: static readonly exportName = "default"`,
    );
  }
  return { moduleUrl, exportName };
}

/**
 * Takes the class out of its module.
 *
 * @param module The module.
 * @param exportName The name of the export.
 * @param place Where it shall run.
 * @throws {TypeError} when the module does not export it; the message says what to write.
 */
export function exportedHandler(
  module: Record<string, unknown>,
  exportName: string,
  place: HandlerPlace,
): HandlerClass {
  const found = Object.hasOwn(module, exportName)
    ? module[exportName]
    : undefined;
  if (isHandler(found)) return found;
  const other = Object.keys(module).find((key) =>
    isHandler(module[key]) && module[key].name === exportName
  );
  const advice = other === undefined
    ? `write "export class ${exportName}"`
    : `it is exported as "${other}": write in the class: static readonly exportName = "${other}"`;
  throw new TypeError(
    `Cannot run ${exportName} ${place}: its module exports no class of handlers "${exportName}"; ${advice}`,
  );
}

/** Throws unless a value is a class of handlers. */
export function checkHandlerClass(
  value: unknown,
): asserts value is HandlerClass {
  if (isHandler(value)) return;
  const made = Object(value).constructor;
  const got = isHandler(made)
    ? `an object of it: pass ${
      made.name || "the class"
    }, and the server makes one for each request`
    : inspect(value, { depth: 0 });
  throw new TypeError(
    `Cannot make a server: RequestHandlerClass must be a class with a handle method, got ${got}`,
  );
}

function isHandler(value: unknown): value is HandlerClass {
  return typeof value === "function" &&
    typeof value.prototype?.handle === "function";
}

/**
 * The options that a child gets to see.
 *
 * @param options The options of the server.
 * @param names Which of them to tell: a child has no business with keys, passwords and the like.
 * @throws {TypeError} when one would not arrive as it is.
 */
export function selectOptions(
  options: object,
  names: readonly string[],
): Record<string, unknown> {
  const told = Object.entries(options).filter(([name]) => names.includes(name));
  for (const [name, value] of told) {
    if (isPlainData(value)) continue;
    throw new TypeError(
      `Cannot tell a child the option ${name}: it must be plain data, got ${
        inspect(value)
      }`,
    );
  }
  return Object.fromEntries(told);
}

/** Whether a value arrives as it is: plain data. */
function isPlainData(value: unknown): boolean {
  if (typeof value !== "object" || value === null) {
    return typeof value !== "function" && typeof value !== "symbol";
  }
  if (value instanceof Uint8Array) return true;
  if (Array.isArray(value)) return value.every(isPlainData);
  return Object.getPrototypeOf(value) === Object.prototype &&
    Object.values(value).every(isPlainData);
}

/** The options of a server that can be told to a worker. */
export function primitiveOptions(server: object): Record<string, unknown> {
  const isPlain = ([name, value]: [string, unknown]) =>
    name !== "shared" && name !== "serverAddress" &&
    (value === null ||
      ["number", "string", "boolean"].includes(typeof value));
  return Object.fromEntries(Object.entries(server).filter(isPlain));
}

/** The place in which this thread or process imports the module of a handler, while it does. */
let loading: HandlerPlace | undefined;

/** Imports the module of a handler. */
export async function loadModule<T>(
  place: HandlerPlace,
  load: () => Promise<T>,
): Promise<T> {
  loading = place;
  try {
    return await load();
  } finally {
    loading = undefined;
  }
}

/** Throws while the module of a handler is loaded. */
export function checkNotLoading(): void {
  if (loading === undefined) return;
  throw new Error(
    `Cannot make a server ${loading}, where its module is loaded for the handler only: make it inside of if (import.meta.main) { ... }`,
  );
}
