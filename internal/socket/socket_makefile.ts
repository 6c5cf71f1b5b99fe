/**
 * The files over a socket.
 *
 * @module
 */

import {
  type FileForMode,
  makefile,
  type MakefileOptions,
} from "../files/makefile.ts";
import type { ByteSink, ByteSource } from "../files/raw_streams.ts";
import type { SocketReader, SocketState } from "./state.ts";

/**
 * Creates a file over a socket. The last file closes the socket, if `close` was called.
 *
 * @param state The state of the socket.
 * @param socket The socket.
 * @param mode The mode; `"r"` by default.
 * @param options Buffering, encoding and line ends.
 */
export function socketFile<M extends string>(
  state: SocketState,
  socket: ByteSource & ByteSink,
  mode: M | undefined,
  options: MakefileOptions | undefined,
): FileForMode<M> {
  state.checkOpen("makefile");
  const file = makefile(socket, (mode ?? "r") as M, {
    ...options,
    onClose: () => {
      if (--state.files === 0 && state.closeWanted) state.close(false);
    },
    onHold: (holder) => state.stream?.hold(holder),
    onReader: (reader) => keepReader(state, reader as SocketReader),
  });
  state.files++;
  return file;
}

function keepReader(state: SocketState, reader: SocketReader): void {
  const open = state.readers?.filter(({ closed }) => !closed) ?? [];
  state.readers = open.concat(reader); // an array with a spread has room for 17: 130 bytes of an idle connection
}
