/**
 * Runs the echo of an AsyncTCPServer with TLS. Prints its port.
 *
 *     deno run -A bench/servers/serve_tls.ts certificate-and-key.pem
 */
import { AsyncTCPServer } from "../../mod.ts";
import { PROTOCOL_TLS_SERVER, SSLContext } from "../../ssl.ts";
import { Echo } from "./handlers.ts";

/** More than any benchmark opens. */
const maxConnections = 20_000;

AsyncTCPServer.prototype.handleError = () => {}; // the load generator goes away in the middle of a message

const ssl = new SSLContext(PROTOCOL_TLS_SERVER);
ssl.loadCertChain(Deno.args[0]);
const server = new AsyncTCPServer(["127.0.0.1", 0], Echo, {
  maxConnections,
  ssl,
});
console.log(server.serverAddress[1]);
await server.serveForever();
