/** The echo over `node:net`, in Node and in Deno. Prints its port. */
import { createServer } from "node:net";

const server = createServer((socket) => {
  socket.on("data", (data) => socket.write(data));
  socket.on("error", () => socket.destroy());
});
server.listen(
  { host: "127.0.0.1", port: 0, backlog: 1024 },
  () => console.log(server.address().port),
);
