/** Probes of `node:tls`. Each resolves to whether Deno has the fault. */

import {
  type AddressInfo,
  connect as connectNet,
  type Socket as NetSocket,
} from "node:net";
import {
  connect,
  type ConnectionOptions,
  createServer,
  type TLSSocket,
} from "node:tls";
import {
  Authority,
  type CertificateOptions,
} from "../../helpers/certificates.ts";

const authority = new Authority();
const LOCAL = { name: "localhost", hosts: ["localhost"] };

/** A client of a server with a certificate, and the server's end. */
async function pair(
  issuer: Authority,
  identity: Partial<CertificateOptions> = {},
  options: ConnectionOptions = {},
): Promise<{ client: TLSSocket; server: Promise<TLSSocket>; raw: NetSocket }> {
  const accepted = Promise.withResolvers<TLSSocket>();
  const listener = createServer(
    issuer.issue({ ...LOCAL, ...identity }),
    accepted.resolve,
  );
  listener.on("tlsClientError", () => {});
  await new Promise<void>((done) => listener.listen(0, "127.0.0.1", done));
  const { port } = listener.address() as AddressInfo;
  const raw = connectNet(port, "127.0.0.1");
  const client = connect({
    socket: raw,
    servername: "localhost",
    ca: authority.cert,
    ...options,
  });
  return { client, server: accepted.promise, raw };
}

/** The code of the error with which a client refuses its server; undefined if it does not. */
function refusal(client: TLSSocket): Promise<string | undefined> {
  return new Promise((resolve) => {
    client.on("error", ({ code }: Error & { code?: string }) => resolve(code));
    client.on("secureConnect", () => resolve(undefined));
  });
}

/** A certificate of X.509 version 1 needs no more than the name of an authority. */
export async function forgedCertificate(): Promise<boolean> {
  const forger = new Authority(); // its name is that of the authority
  const { client } = await pair(forger, { version: 1 });
  return await refusal(client) === undefined;
}

/** The name of the failure is the same for an expired certificate and for an unknown issuer. */
export async function nameOfExpiry(): Promise<boolean> {
  const valid: [string, string] = ["2020-01-01", "2020-02-01"];
  const { client } = await pair(authority, { valid });
  return await refusal(client) === "UNABLE_TO_VERIFY_LEAF_SIGNATURE";
}

/** A session that is paused goes on reading. */
export async function pausedSession(): Promise<boolean> {
  const { client, server } = await pair(authority);
  const end = await server;
  end.pause();
  const block = new Uint8Array(1_048_576);
  let taken = 0;
  const send = (): void => {
    client.write(block, () => {
      taken += block.length;
      send();
    });
  };
  send();
  const most = 32_000_000; // more than the system holds
  for (let turns = 0; turns < 600 && taken < most; turns++) {
    await new Promise((done) => setTimeout(done, 50));
  }
  return taken >= most;
}

/** An end of the connection without a close_notify is an end of the stream. */
export async function raggedEnd(): Promise<boolean> {
  const { client, server, raw } = await pair(authority);
  await refusal(client);
  const end = await server;
  return await new Promise((resolve) => {
    end.on("error", () => resolve(false));
    end.on("end", () => resolve(true));
    end.resume();
    end.write("x");
    client.once("data", () => raw.destroy());
  });
}
