/**
 * The echo over `Bun.listen`. Prints its port.
 *
 *     bun bench/peers/bun_listen.mjs [file with certificate and key] [--timeout]
 *
 * With a file over TLS; with `--timeout` a connection may be quiet for 30 seconds.
 */
import { sendRest, write } from "./bun_rest.mjs";

const args = process.argv.slice(2);
const timeout = args.includes("--timeout");
const pem = args.find((arg) => arg !== "--timeout");
const file = pem && await Bun.file(pem).text();
const server = Bun.listen({
  hostname: "127.0.0.1",
  port: 0,
  tls: file && { cert: file, key: file },
  socket: {
    open(socket) {
      if (timeout) socket.timeout(30);
    },
    data: write,
    drain: sendRest,
    timeout: (socket) => socket.end(),
    error() {},
  },
});
console.log(server.port);
