/** The echo over `Bun.udpSocket`. Prints its port. */
const socket = await Bun.udpSocket({
  hostname: "127.0.0.1",
  port: 0,
  socket: {
    data: (socket, data, port, address) => socket.send(data, port, address),
    error() {},
  },
});
console.log(socket.port);
