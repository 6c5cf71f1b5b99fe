/**
 * The comparisons under load: each has a server of ours, its peers and the limit.
 *
 * @module
 */

import type { Comparison, Contender } from "./measure.ts";
import {
  ASYNCIO,
  bun,
  BUN_LISTEN,
  cpython,
  DENO,
  deno,
  DENO_FRESH,
  DENO_FRESH_SMALL,
  DENO_NODE_NET,
  EPOLL,
  NODE,
  ours,
  under,
} from "./peers.ts";

const ECHO = ours("AsyncTCPServer", "Echo");
const ECHO_INTO = ours("AsyncTCPServer", "EchoInto");

/** The servers that echo. Each of ours has a plain loop of its kind: with an array for each read, and with one for all. */
const echoes = {
  "socketserver recv": ECHO,
  "socketserver recvInto": ECHO_INTO,
  "Deno.listen, fresh arrays of 1 KiB": DENO_FRESH_SMALL,
  "Deno.listen": DENO,
  "node:net in Deno": DENO_NODE_NET,
  "node:net in Node": NODE,
  "Bun.listen": BUN_LISTEN,
  "CPython threading": cpython("threading"),
  "CPython asyncio": ASYNCIO,
  "C epoll": EPOLL,
};

/** The servers that echo lines. */
const lines = {
  "socketserver": ours("AsyncTCPServer", "Lines"),
  "socketserver, wbufsize -1": ours("AsyncTCPServer", "BufferedLines"),
  "Deno.listen": deno("peers/deno_lines.ts"),
  "Bun.listen": bun("peers/bun_lines.mjs"),
  "CPython threading": cpython("threading", "lines"),
};

/** The counts of connections by which growth is measured. */
export const GROWTH = [1, 10, 100, 1_000, 10_000];

function growth(): Record<string, Contender> {
  return Object.fromEntries(
    Object.entries({
      "socketserver": ECHO,
      "Deno.listen": DENO,
      "C epoll": EPOLL,
    })
      .flatMap(([name, server]) =>
        GROWTH.map((count) => [
          `${name}, ${count}`,
          under(["echo", count, 64, 1], server),
        ])
      ),
  );
}

/** The steps of the handler `Work`, for servers that are not ours. */
const STEPS = "65000";

/** The servers that send a file. */
const senders = (path: string) => ({
  "socketserver": ours("AsyncTCPServer", "SendFile", path),
  "readable.pipeTo": deno("peers/deno_pipe.ts", path),
  "Bun.file().stream()": bun("peers/bun_sendfile.mjs", path),
});

/**
 * All comparisons by name.
 *
 * @param path The file that `sendfile` sends.
 */
export const comparisons = (path: string): Record<string, Comparison> => ({
  "echo-64": {
    title: "Echo of 64 bytes over 64 connections",
    unit: "requests/s",
    load: ["echo", 64, 64, 1],
    contenders: echoes,
  },
  "echo-512": {
    title: "Echo of 64 bytes over 512 connections",
    unit: "requests/s",
    load: ["echo", 512, 64, 1],
    contenders: echoes,
  },
  "bulk": {
    title: "Echo of 64 KiB over 16 connections",
    unit: "requests/s",
    load: ["echo", 16, 65536, 1],
    contenders: {
      "socketserver recvInto": ECHO_INTO,
      "socketserver recv": ECHO,
      "socketserver rfile": ours("AsyncTCPServer", "Copy"),
      "socketserver rfile, readinto1": ours("AsyncTCPServer", "CopyInto"),
      "Deno.listen": DENO,
      "Deno.listen, fresh arrays": DENO_FRESH,
      "node:net in Node": NODE,
      "Bun.listen": BUN_LISTEN,
      "CPython threading": cpython("threading"),
      "C epoll": EPOLL,
    },
  },
  "lines": {
    title: "Lines of 64 bytes over 64 connections, one in a packet",
    unit: "lines/s",
    load: ["echo", 64, 64, 1],
    contenders: lines,
  },
  "lines-pipelined": {
    title: "Lines of 64 bytes over 64 connections, 16 in a packet",
    unit: "lines/s",
    load: ["echo", 64, 1024, 16],
    times: 16,
    contenders: lines,
  },
  "connect": {
    title: "Connect, echo 64 bytes, close; 16 at a time",
    unit: "connections/s",
    load: ["connect", 16, 64],
    contenders: {
      "socketserver": ECHO,
      "Deno.listen": DENO,
      "node:net in Node": NODE,
      "Bun.listen": BUN_LISTEN,
      "CPython threading": cpython("threading"),
      "C epoll": EPOLL,
    },
  },
  "connect-forking": {
    title: "Connect, echo 64 bytes, close, in processes; 16 at a time",
    unit: "connections/s",
    load: ["connect", 16, 64],
    processors: Infinity,
    contenders: {
      "socketserver": ours("ForkingTCPServer", "Echo"),
      "socketserver, acceptIn children": ours(
        "ForkingTCPServer",
        "Echo",
        '{"acceptIn":"children"}',
      ),
      "fork and send": deno("peers/deno_fork_send.ts"),
      "CPython forking": cpython("forking"),
    },
  },
  "udp": {
    title: "Datagrams of 64 bytes, 32 under way",
    unit: "datagrams/s",
    load: ["udp", 32, 64],
    contenders: {
      "socketserver AsyncUDPServer": ours("AsyncUDPServer", "Datagram"),
      "socketserver UDPServer": ours("UDPServer", "Datagram"),
      "Deno.listenDatagram": deno("peers/deno_datagram.ts"),
      "node:dgram in Node": { server: ["node", "peers/node_dgram.mjs"] },
      "Bun.udpSocket": bun("peers/bun_udp.mjs"),
      "CPython UDPServer": cpython("udp", "datagram"),
      "C recvfrom": { server: ["peers/udp_echo.c"] },
    },
  },
  "threads": {
    title: "Echo of 64 bytes over 64 connections, in workers",
    unit: "requests/s",
    load: ["echo", 64, 64, 1],
    processors: Infinity,
    contenders: {
      "ThreadingTCPServer": ours("ThreadingTCPServer", "Echo"),
      "ThreadingTCPServer, acceptIn workers": ours(
        "ThreadingTCPServer",
        "Echo",
        '{ "acceptIn": "workers" }',
      ),
      "AsyncTCPServer": ECHO,
      "rings alone": deno("peers/deno_rings.ts"),
      "Bun workers": bun("peers/bun_workers.mjs", "2"),
    },
  },
  "threads-work": {
    title: "Echo with 100 us of work in each request, in workers",
    unit: "requests/s",
    load: ["echo", 64, 64, 1],
    processors: Infinity,
    contenders: {
      "ThreadingTCPServer": ours("ThreadingTCPServer", "Work"),
      "ThreadingTCPServer, acceptIn workers": ours(
        "ThreadingTCPServer",
        "Work",
        '{ "acceptIn": "workers" }',
      ),
      "AsyncTCPServer": ours("AsyncTCPServer", "Work"),
      "Bun workers": bun("peers/bun_workers.mjs", "2", STEPS),
      "Bun.listen": bun("peers/bun_workers.mjs", "0", STEPS),
    },
  },
  "threads-bulk": {
    title: "Echo of 64 KiB over 16 connections, in workers",
    unit: "requests/s",
    load: ["echo", 16, 65536, 1],
    processors: Infinity,
    contenders: {
      "ThreadingTCPServer": ours("ThreadingTCPServer", "Echo"),
      "AsyncTCPServer": ECHO,
      "Bun workers": bun("peers/bun_workers.mjs", "2"),
    },
  },
  "timeout": {
    title: "Echo of 64 bytes over 64 connections, with a timeout on each call",
    unit: "requests/s",
    load: ["echo", 64, 64, 1],
    contenders: {
      "with settimeout": ours("AsyncTCPServer", "EchoWithTimeout"),
      "without": ECHO,
      "Bun.listen with timeout": bun("peers/bun_listen.mjs", "--timeout"),
      "Bun.listen without": BUN_LISTEN,
    },
  },
  "sendfile": {
    title: "A file of 1 GiB to one client",
    unit: "MiB/s",
    load: ["sink"],
    contenders: senders(path),
  },
  "growth": {
    title: "Echo of 64 bytes over more and more connections",
    unit: "requests/s",
    longer: 5, // 10,000 connections answer once or twice in a short round
    load: ["echo", 1, 64, 1],
    contenders: growth(),
  },
});
