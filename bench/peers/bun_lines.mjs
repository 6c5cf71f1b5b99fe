/** Echoes lines over `Bun.listen`, with a write for each. Prints its port. */
import { sendRest, write } from "./bun_rest.mjs";

const server = globalThis.Bun.listen({
  hostname: "127.0.0.1",
  port: 0,
  socket: {
    open(socket) {
      socket.begun = undefined; // bytes of a line that has begun
    },
    data(socket, chunk) {
      const data = socket.begun ? Buffer.concat([socket.begun, chunk]) : chunk;
      let from = 0;
      for (let end; (end = data.indexOf(10, from)) >= 0; from = end + 1) {
        write(socket, data.subarray(from, end + 1));
      }
      socket.begun = from < data.length ? data.slice(from) : undefined;
    },
    drain: sendRest,
    error() {},
  },
});
console.log(server.port);
