/**
 * The handles under the sockets and servers of `node:net`, most of whose functions are private to Node. A handle is bound
 * at once, while `server.listen` (Deno 2.9.6) binds later, and `connect` binds to no path at all.
 *
 * @module
 */

import type { Server as NetServer, Socket as NetSocket } from "node:net";
import { nodeBinding, nodeNet } from "../system/node_builtins.ts";

/** The port and the address type for the path of a Unix socket. */
export const UNIX_PATH = -1;

/** The type of a handle that connects. A handle that listens would do so as soon as it is opened. */
export const SOCKET_HANDLE = 0;

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

/** Reports whether this system and this Deno have such handles, so that a connection can be passed to another process. */
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

/** The members in use of the handle under a server. */
export interface ListenHandle {
  /** Listens, or resumes. Returns 0, or the negative errno. */
  listen(backlog: number): number;
  /** Accepts a connection. Deno calls this function when there is one; `status` is 0, or the negative errno. */
  onconnection(status: number): void;
  close(): void;
  /** Returns a copy of the descriptor that is closed on exec. */
  fdForIpc(): number;
}

/** Creates a server whose connections do not read yet, so that another process can take them over. */
export function createPausedServer(): NetServer {
  return nodeNet().createServer({ allowHalfOpen: true, pauseOnConnect: true });
}

/**
 * Creates a server over the descriptor of a bound socket, which the server owns. It does not listen yet.
 *
 * @returns The server and its handle, or the negative errno if the system refuses.
 */
export function serverOver(
  fd: number,
): [server: NetServer, handle: ListenHandle] | number {
  const handle = createHandle()!(null, 0, 0, fd, 0) as ListenHandle | number;
  return typeof handle === "number" ? handle : [createPausedServer(), handle];
}

/** Lets a server listen at a handle, at once. Returns 0, or the negative errno. */
export function listenAt(
  server: NetServer,
  handle: ListenHandle,
  backlog: number,
): number {
  let status = 0;
  const listenNow = handle.listen.bind(handle);
  handle.listen = (backlog) => status = listenNow(backlog);
  const ignore = () => {}; // `status` has reported it already
  server.on("error", ignore);
  server.listen(handle, backlog);
  if (status === 0) server.off("error", ignore);
  return status;
}

/** Opens a connection over a descriptor, or over a handle that another process has passed. It does not read yet. */
export function connectionOver(
  over: { fd: number } | { handle: object },
): NetSocket {
  const options = { ...over, allowHalfOpen: true, pauseOnCreate: true };
  return new (nodeNet().Socket)(options);
}

/** A handle of Node over a listening descriptor, which does not accept. Its copies can. */
export interface ParkedHandle {
  /** Opens a descriptor. Returns 0, or the negative errno. */
  open(fd: number): number;
  /** Returns a copy of the descriptor that is closed on exec; negative if there is none. */
  fdForIpc(): number;
  close(): void;
}

/** Returns a handle over a copy of a TCP handle that listens. The copy does not accept. */
export function parkHandle(handle: { fdForIpc(): number }): ParkedHandle {
  const { TCP } = nodeBinding("tcp_wrap");
  const parked: ParkedHandle = new TCP(SOCKET_HANDLE);
  parked.open(handle.fdForIpc());
  return parked;
}

/**
 * Opens a server that listens on a copy of a parked handle.
 *
 * @returns The server and its handle; undefined if no descriptor is left for the copy.
 */
export function listenOnCopy(
  parked: ParkedHandle,
  backlog: number,
): [NetServer, ListenHandle] | undefined {
  const copy = parked.fdForIpc();
  if (!(copy >= 0)) return undefined;
  const listening = serverOver(copy);
  if (typeof listening === "number") return undefined;
  if (listenAt(...listening, backlog) === 0) return listening;
  listening[0].close();
  return undefined;
}
