/**
 * Sends its arguments to a running `examples/echo.ts`, and prints the answer.
 *
 *     deno run --allow-net examples/echo_client.ts [--host=localhost] [--port=9999] hello world
 */
import { parseArgs } from "node:util";
import { createConnection } from "@socketserver/socketserver";

try {
  const { values: { host, port }, positionals } = parseArgs({
    args: Deno.args,
    allowPositionals: true,
    options: {
      host: { type: "string", default: "localhost" },
      port: { type: "string", default: "9999" },
    },
  });
  const data = positionals.join(" ");
  const address: [string, number] = [host, Number(port)];
  using socket = await createConnection(address, { timeout: 10 });
  await socket.sendall(new TextEncoder().encode(`${data}\n`));

  using file = socket.makefile("r");
  const received = await file.readline();

  console.log(`Sent:     ${data}`);
  console.log(`Received: ${received.trimEnd()}`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  Deno.exit(1);
}
