/**
 * Runs one of our servers with one of the handlers, and with options in JSON. Prints its port.
 *
 *     deno run -A --unstable-net bench/servers/serve.ts AsyncTCPServer Echo
 */
import * as socketserver from "../../mod.ts";
import * as echoing from "./handlers.ts";
import * as idling from "./idle_handlers.ts";

/** More than any benchmark opens. */
const MOST = 20_000;

// deno-lint-ignore no-explicit-any -- the names are those of the command line
const { [Deno.args[0]]: Server } = socketserver as any;
// deno-lint-ignore no-explicit-any
const { [Deno.args[1]]: Handler } = { ...echoing, ...idling } as any;

Server.prototype.handleError = () => {}; // the load generator goes away in the middle of a message

const options = Deno.args[2]?.startsWith("{") ? JSON.parse(Deno.args[2]) : {};
const server = new Server(["127.0.0.1", 0], Handler, {
  maxConnections: MOST,
  ...options,
});
console.log(server.serverAddress[1]);
await server.serveForever();
