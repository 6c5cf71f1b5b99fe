/** Sends the file that the argument names to each that connects, by a stream over `Bun.listen`. Prints its port. */
const [, , path] = process.argv;

async function send(socket) {
  for await (const chunk of Bun.file(path).stream()) {
    for (let sent = 0; sent < chunk.length;) {
      const n = socket.write(chunk.subarray(sent));
      if (n < 0) return; // closed
      sent += n;
      if (sent < chunk.length) {
        await new Promise((resolve) => socket.drained = resolve);
      }
    }
  }
  socket.end();
}

const server = Bun.listen({
  hostname: "127.0.0.1",
  port: 0,
  socket: {
    open: send,
    data() {},
    drain: (socket) => socket.drained?.(),
    close: (socket) => socket.drained?.(),
    error() {},
  },
});
console.log(server.port);
