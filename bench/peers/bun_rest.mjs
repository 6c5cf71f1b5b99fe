/** What a socket of Bun did not take: `write` returns how much it took, and `drain` says when it takes more. */

/** Writes data, behind what waits already, and keeps what is not taken. */
export function write(socket, data) {
  const rest = socket.rest ? Buffer.concat([socket.rest, data]) : data;
  const written = socket.write(rest);
  socket.rest = written < rest.length
    ? rest.slice(Math.max(written, 0)) // a copy: the memory of `data` is Bun's
    : undefined;
}

/** Writes what was kept; for `drain`. */
export function sendRest(socket) {
  if (!socket.rest) return;
  const { rest } = socket;
  socket.rest = undefined;
  write(socket, rest);
}
