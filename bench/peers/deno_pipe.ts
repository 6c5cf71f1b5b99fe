/**
 * Sends a file to whoever connects, by streams. Prints its port.
 *
 *     deno run --allow-net --allow-read bench/peers/deno_pipe.ts FILE
 */
const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
console.log(listener.addr.port);
for await (const conn of listener) {
  const file = await Deno.open(Deno.args[0]);
  await file.readable.pipeTo(conn.writable);
}
