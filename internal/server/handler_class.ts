/**
 * Checks of a class of handlers, and of the moment at which a server is made for it.
 *
 * @module
 */

import { inspect } from "../runtime/deno.ts";
import type { Runnable } from "./request_stages.ts";

/** A class of handlers, for any type of request and server. */
// deno-lint-ignore no-explicit-any
export type HandlerClass = new (...args: any[]) => Runnable;

/** The place in which handlers run, for error messages. */
export type HandlerPlace = "in a worker" | "in another process";

/** Throws a TypeError unless `value` is a class of handlers. */
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

/** Reports whether `value` is a class of handlers. */
export function isHandler(value: unknown): value is HandlerClass {
  return typeof value === "function" &&
    typeof value.prototype?.handle === "function";
}

/**
 * The place in which this thread or process imports a handler's module, while it does. A server created meanwhile is the
 * program's own, which would start again in each worker and child.
 */
let loading: HandlerPlace | undefined;

/** Imports a handler's module. */
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

/** Throws an Error while a handler's module is being imported. */
export function checkNotLoading(): void {
  if (loading === undefined) return;
  throw new Error(
    `Cannot make a server ${loading}, where its module is loaded for the handler only: make it inside of if (import.meta.main) { ... }`,
  );
}
