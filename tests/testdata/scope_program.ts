/** Prints the addresses that sockets on `fe80::2%lo` have, for `scope_id_test.ts`. */

import {
  type Address,
  AF_INET6,
  createConnection,
  createServer,
  ForkingTCPServer,
  type InetAddress,
  SOCK_DGRAM,
  Socket,
  TCPServer,
} from "../../mod.ts";
import { Echo } from "./handlers.ts";

const HOST: InetAddress = ["fe80::2%lo", 0];
const encode = (text: string) => new TextEncoder().encode(text);
const seen: Record<string, Address | null> = {};

{
  using listener = createServer(HOST, { family: AF_INET6, backlog: 7 });
  seen.listener = listener.getsockname();
  using client = await createConnection(seen.listener as InetAddress);
  seen.client = client.getsockname();
  seen.clientsPeer = client.getpeername();
  const [server, peer] = await listener.accept();
  using _ = server;
  seen.peer = peer;
  seen.server = server.getsockname();
  seen.serversPeer = server.getpeername();
}
{
  using one = new Socket(AF_INET6, SOCK_DGRAM);
  one.bind(HOST);
  seen.datagram = one.getsockname();
  using other = new Socket(AF_INET6, SOCK_DGRAM);
  await other.connect(seen.datagram as InetAddress);
  seen.datagramsPeer = other.getpeername();
  await other.send(encode("question"));
  const [, sender] = await one.recvfrom(99);
  seen.sender = sender;
  await one.sendto(encode("answer"), sender!);
  [, seen.answerFrom] = await other.recvfrom(99);
}
for (const Server of [TCPServer, ForkingTCPServer]) {
  const options = { addressFamily: AF_INET6 };
  await using server = new Server(HOST, Echo, options);
  seen[Server.name] = server.serverAddress;
  const served = server.serveForever();
  const client = await createConnection(server.serverAddress);
  await client.sendall(encode("hello"));
  await client.recv(99);
  client.close();
  await server.shutdown();
  await served;
}
console.log(JSON.stringify(seen));
