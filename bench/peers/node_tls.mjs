/** The echo over `node:tls`, in Node and in Deno. Prints its port; the argument is a file with certificate and key. */
import { readFileSync } from "node:fs";
import process from "node:process";
import { createServer } from "node:tls";

const pem = readFileSync(process.argv[2]);
const server = createServer({ cert: pem, key: pem }, (socket) => {
  socket.on("data", (data) => socket.write(data));
  socket.on("error", () => socket.destroy());
});
server.on("tlsClientError", () => {}); // the load generator goes away in the middle of a handshake
server.listen(
  { host: "127.0.0.1", port: 0, backlog: 1024 },
  () => console.log(server.address().port),
);
