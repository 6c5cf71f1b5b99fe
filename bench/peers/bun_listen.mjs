/** The echo over `Bun.listen`. Prints its port; with an argument, a file with certificate and key, over TLS. */
const [, , pem] = process.argv;
const file = pem && await Bun.file(pem).text();
const server = globalThis.Bun.listen({
  hostname: "127.0.0.1",
  port: 0,
  tls: file && { cert: file, key: file },
  socket: {
    data(socket, data) {
      const rest = socket.rest?.length ? joined(socket.rest, data) : data;
      keep(socket, rest, socket.write(rest));
    },
    drain(socket) {
      if (socket.rest?.length) {
        keep(socket, socket.rest, socket.write(socket.rest));
      }
    },
    error() {},
  },
});
console.log(server.port);

/** Keeps what was not written; `drain` goes on with it. */
function keep(socket, data, written) {
  socket.rest = written < data.length
    ? data.slice(Math.max(written, 0))
    : undefined;
}

function joined(a, b) {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
