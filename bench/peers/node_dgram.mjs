/** The echo over `node:dgram`, in Node and in Deno. Prints its port. */
import { createSocket } from "node:dgram";

const socket = createSocket("udp4");
socket.on(
  "message",
  (data, from) => socket.send(data, from.port, from.address),
);
socket.bind(0, "127.0.0.1", () => console.log(socket.address().port));
