/**
 * Whether descriptors are left.
 *
 * @module
 */

import { translate } from "../base/errors.ts";

/** Opens something that takes a descriptor, and returns what closes it. */
type Open = () => { close(): void };

const WAYS: Open[] = [
  () => Deno.openSync(new URL(import.meta.url)),
  () => Deno.listen({ hostname: "127.0.0.1", port: 0 }),
];

/** Whether an error says that no descriptor is left, to the process or to the system. */
export function isScarce(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === "EMFILE" || code === "ENFILE";
}

/**
 * Reports whether a stack may be rendered. With no descriptor left Deno (2.9.6) panics where it has to load the source
 * map of a `.ts` frame. A process without permission to read this file or to listen on the loopback cannot tell.
 *
 * @param error The error whose stack it is.
 */
export function mayRenderStack(error: unknown): boolean {
  if (isScarce(error)) return false;
  for (const open of WAYS) {
    try {
      open().close();
      return true;
    } catch (thrown) {
      if (isScarce(thrown)) return false; // else it is not allowed, or no file
    }
  }
  return true;
}

/**
 * Calls `call` so that its errors get no stack. With no descriptor left, Deno 2.9.6 panics when it renders a frame of a
 * `.ts` file, and Node's errors render their stack when they are created.
 */
export function withoutStack<T>(call: () => T): T {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return call();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/**
 * The descriptors that must be free to start a worker. A worker needs six until it runs, and Deno (2.9.6) panics if it
 * does not get them; the others are for connections accepted meanwhile. Arbitrary.
 */
const NEEDED = 16;

/**
 * Throws EMFILE or ENFILE if too few descriptors are free to start a worker. Checks nothing if no module is a file.
 *
 * @param urls The modules that the worker loads first; this process may read those that are files.
 */
export function checkDescriptors(...urls: string[]): void {
  const url = urls.find((each) => each.startsWith("file:"));
  if (url === undefined) return;
  const held: Deno.FsFile[] = [];
  try {
    while (held.length < NEEDED) held.push(Deno.openSync(new URL(url)));
  } catch (error) {
    throw translate(error, { syscall: "start a worker" });
  } finally {
    for (const file of held) file.close();
  }
}
