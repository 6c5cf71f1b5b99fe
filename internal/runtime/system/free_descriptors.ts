/**
 * Finds out whether descriptors are left.
 *
 * @module
 */

import { translate } from "../../base/translate_error.ts";

/** Opens a resource that takes a descriptor. */
type Open = () => { close(): void };

const WAYS: Open[] = [
  () => Deno.openSync(new URL(import.meta.url)),
  () => Deno.listen({ hostname: "127.0.0.1", port: 0 }),
];

/** Reports whether an error means that the process or the system has no descriptor left. */
function isScarce(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === "EMFILE" || code === "ENFILE";
}

/**
 * Reports whether it is safe to render a stack. With no descriptor left Deno (2.9.6) panics when it loads the source
 * map of a `.ts` frame. To find out, the process needs the permission to read this file, or to listen on the loopback
 * address; without either the answer is yes.
 *
 * @param error The error with the stack.
 */
export function mayRenderStack(error: unknown): boolean {
  if (isScarce(error)) return false;
  for (const open of WAYS) {
    try {
      open().close();
      return true;
    } catch (thrown) {
      if (isScarce(thrown)) return false; // otherwise a permission is missing, or the module is no file
    }
  }
  return true;
}

/**
 * Calls a function whose errors get no stack. With no descriptor left, Deno 2.9.6 panics when it renders a frame of a
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
 * The number of free descriptors needed to start a worker. A worker takes six, and Deno (2.9.6) panics if it does not
 * get them; the others are for connections accepted meanwhile. Arbitrary.
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
