/**
 * The plain loop over `Deno.listenDatagram`. Prints its port.
 *
 *     deno run --allow-net --unstable-net bench/peers/deno_datagram.ts
 */
const socket = Deno.listenDatagram({
  transport: "udp",
  hostname: "127.0.0.1",
  port: 0,
});
console.log((socket.addr as Deno.NetAddr).port);
const buffer = new Uint8Array(8192);
for (;;) {
  const [data, address] = await socket.receive(buffer);
  await socket.send(data, address);
}
