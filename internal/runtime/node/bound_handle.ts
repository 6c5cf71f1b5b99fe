/**
 * Handles of `node:net` that are bound at once, while `server.listen` looks the host up first, and `connect` binds to no
 * path at all. Node's function for them is private.
 *
 * @module
 */

import { nodeNet } from "../system/node_builtins.ts";

/** The port and the address type for the path of a Unix socket. */
export const UNIX_PATH = -1;

/** Node's function. The types lack it. */
type CreateHandle = (
  address: string | null,
  port: number,
  addressType: number,
  fd: number | null,
  flags: number,
) => unknown;

function createHandle(): CreateHandle | undefined {
  return (nodeNet() as unknown as { _createServerHandle?: CreateHandle })
    ._createServerHandle;
}

/** Reports whether this system and this Deno have such handles. */
export function canBindHandles(): boolean {
  return Deno.build.os !== "windows" && createHandle() !== undefined;
}

/**
 * Binds a handle.
 *
 * @typeParam H The type of the handle.
 * @param address An IP address, or a path.
 * @param port The port; {@linkcode UNIX_PATH} for a path.
 * @param addressType 4, 6, or {@linkcode UNIX_PATH}.
 * @returns The handle, or the negative errno if the system refuses.
 * @throws The error of Deno for a missing permission.
 */
export function bindHandle<H>(
  address: string,
  port: number,
  addressType: number,
): H | number {
  return createHandle()!(address, port, addressType, null, 0) as H | number;
}

/**
 * Makes a handle of the descriptor of a bound socket.
 *
 * @typeParam H The type of the handle.
 * @param fd The descriptor, which the handle owns.
 * @returns The handle, or the negative errno if the system refuses.
 */
export function handleOf<H>(fd: number): H | number {
  return createHandle()!(null, 0, 0, fd, 0) as H | number;
}
