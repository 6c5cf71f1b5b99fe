/**
 * Whether there are descriptors for another worker.
 *
 * @module
 */

import { translate } from "../base/errors.ts";

/**
 * How many must be free. A worker takes six until it runs, and Deno (2.9.6) panics if it does not get them; the rest is
 * for connections that are accepted meanwhile. Arbitrary.
 */
const NEEDED = 16;

/**
 * Throws EMFILE or ENFILE if a worker could not start for want of descriptors. It cannot tell if no module is a file.
 *
 * @param urls What the worker loads first; files among them can be read.
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
