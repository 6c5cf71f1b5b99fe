/**
 * Whether workers can load what they need.
 *
 * @module
 */

import { osError } from "../_socket/errors.ts";

/**
 * Throws where a worker may not read the module: workers read modules from the disk themselves.
 *
 * @param urls What the worker loads first.
 * @throws {PermissionError} that names the flag to add.
 */
export function checkReadable(...urls: string[]): void {
  for (const url of urls) {
    if (!url.startsWith("file:")) continue;
    const path = new URL(url);
    if (
      Deno.permissions.querySync({ name: "read", path }).state === "granted"
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
