/**
 * Connects a bound Unix socket, for which `Deno.connect` has no option.
 *
 * @module
 */

import type { Socket as NetSocket } from "node:net";
import { nodeNet } from "../system/node_builtins.ts";
import { bindHandle, UNIX_PATH } from "../node/node_handles.ts";
import { NodeStream, whenConnected } from "../node/node_stream.ts";
import {
  absolute,
  bindWithMode,
  OwnPath,
  type PathOptions,
} from "./unix_path.ts";
import { temporaryName } from "./unix_stale_path.ts";

/** The handle of a bound socket of `node:net`. */
interface Pipe {
  close(...args: unknown[]): void;
}

/** A connection of a bound socket. Closing the connection removes its path, unless the name is abstract. */
class NamedStream extends NodeStream {
  readonly #path: OwnPath | undefined;

  constructor(socket: NetSocket, path: OwnPath | undefined) {
    super(socket);
    this.#path = path;
  }

  override close(): void {
    this.#path?.remove();
    super.close();
  }
}

/**
 * Makes the close of a handle remove its own path only. `node:net` closes a handle itself if a connect fails or the
 * peer resets, and (Deno 2.9.6) removes any file that has the path by then.
 */
function guardPath(handle: Pipe, name: string, path: OwnPath | undefined) {
  const close = handle.close;
  handle.close = (...args) => {
    path?.remove();
    keeping(name, () => close.apply(handle, args));
  };
}

/** Calls a function that removes the file at a path, and restores the file. */
function keeping(path: string, call: () => void): void {
  let aside: string | undefined = temporaryName(path);
  try {
    Deno.renameSync(path, aside);
  } catch {
    aside = undefined; // no file has the path, as nearly always
  }
  call();
  if (aside !== undefined) Deno.renameSync(aside, path);
}

/**
 * Binds to a path and connects from it.
 *
 * @param from The path or the abstract name to bind to.
 * @param path The path of the listener.
 * @param options The options of that path.
 * @param signal Ends the call when it is aborted.
 * @throws The error of Node, with its `code`: EAGAIN if the queue of the listener is full. The path is removed then.
 */
export function connectUnixFrom(
  from: string,
  path: string,
  options: PathOptions,
  signal?: AbortSignal,
): Promise<NodeStream> {
  const handle = bindWithMode(from, options.pathMode, bindPipe);
  const own = from.startsWith("\0") ? undefined : new OwnPath(absolute(from));
  guardPath(handle, from, own);
  const { Socket } = nodeNet();
  const socket = new Socket({ handle, allowHalfOpen: true } as object);
  const connected = whenConnected(
    socket,
    signal,
    () =>
      Object.defineProperties(new NamedStream(socket, own), {
        localAddr: { value: { transport: "unix", path: from } },
        remoteAddr: { value: { transport: "unix", path } },
      }),
  );
  socket.connect({ path });
  return connected;
}

function bindPipe(path: string): Pipe {
  const handle = bindHandle<Pipe>(path, UNIX_PATH, UNIX_PATH);
  if (typeof handle !== "number") return handle;
  throw new Deno.errors.AddrInUse(`cannot bind to ${path}`);
}
