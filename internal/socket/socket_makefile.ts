/**
 * The files over a socket.
 *
 * @module
 */

import type { MakefileHooks, MakefileOptions } from "../files/makefile.ts";
import type { SocketState } from "./state.ts";

interface Closable {
  readonly closed: boolean;
}

/** The files in the state of a socket, async or blocking. */
export type FilesState<R> =
  & Pick<
    SocketState,
    "files" | "closeWanted" | "checkOpen" | "hold" | "close"
  >
  & { readers: R[] | undefined };

/**
 * Creates a file over a socket. The last file closes the socket, if `close` was called.
 *
 * @param state The state of the socket.
 * @param socket The socket.
 * @param mode The mode; `"r"` by default.
 * @param options Buffering, encoding and line ends.
 * @param makefile Opens the file.
 */
export function createSocketFile<R extends Closable, S, M extends string, F>(
  state: FilesState<R>,
  socket: S,
  mode: M | undefined,
  options: MakefileOptions | undefined,
  makefile: (socket: S, mode: M, options: MakefileOptions & MakefileHooks) => F,
): F {
  state.checkOpen("makefile");
  const file = makefile(socket, (mode ?? "r") as M, {
    ...options,
    onClose: () => {
      if (--state.files === 0 && state.closeWanted) state.close(false);
    },
    onHold: (holder) => state.hold(holder),
    onReader: (reader) => keepReader(state, reader as R),
  });
  state.files++;
  return file;
}

function keepReader<R extends Closable>(state: FilesState<R>, reader: R): void {
  const open = state.readers?.filter(({ closed }) => !closed) ?? [];
  state.readers = open.concat(reader); // an array with a spread has room for 17: 130 bytes of an idle connection
}
