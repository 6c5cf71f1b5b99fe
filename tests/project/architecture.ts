/**
 * Reads the tables of ARCHITECTURE.md, for the tests of it.
 *
 * @module
 */

import { granted } from "../helpers/allowed.ts";
import { read } from "./docs_programs.ts";

/** Whether the page can be read. */
export const readable: boolean = granted("read");

/** The text of the page. */
export const architecture = (): string => read("ARCHITECTURE.md");

/** A row of the table of workarounds. */
export interface Workaround {
  name: string;
  /** The fault of Deno. */
  fault: string;
  /** The versions of Deno in which the fault was seen. */
  version: string;
  /** The files and functions of the workaround, as the page names them. */
  where: string;
  /** "canary", or another way to see that the fault is gone. */
  check: string;
}

/** Returns the rows of the table of workarounds. */
export function workarounds(): Workaround[] {
  const rows = architecture().matchAll(
    /^\| `([\w-]+)` *\| (.*?) \| ([\d., ]+) \| (.*?) \| (.*?) \|$/gm,
  );
  return Array.from(rows, ([, ...cells]) => {
    const [name, fault, version, where, check] = cells.map((cell) =>
      cell.trim()
    );
    return { name, fault, version, where, check };
  });
}

/** The tests of units whose names do not tell the unit, a module of `internal/`, as `tests/socket/send_queue_test.ts` does. */
export const UNIT_TESTS: Readonly<Record<string, string>> = {
  "base/errors_test.ts": "base/errno",
  "blocking/blocking_same_test.ts": "blocking/blocking_socket_shell",
  "blocking/writers_same_test.ts": "blocking/blocking_writers",
  "proxy/proxy_header_test.ts": "proxy/version_2",
  "runtime/inherited/inherited_test.ts": "runtime/inherited/listen_fds",
  "runtime/unix/unix_deaf_test.ts": "runtime/unix/unix_datagram",
};

/** The files that import private modules but test no unit of them, and the part that they need. */
export const NEEDS_PRIVATE: Readonly<Record<string, string>> = {
  "children/children_fakes.ts":
    "the messages between a server and its children",
  "helpers/fakes.ts": "a timeout without a timer",
  "helpers/sockets.ts": "the transport over node:dgram, whatever the flags",
  "helpers/ssl.ts": "the listener over node:net, whatever the flags",
  "telemetry/telemetry_helpers.ts": "the names of all channels",
  "testdata/forking_handlers.ts": "the registry of requests in a child",
  "testdata/last_words_worker.ts": "a channel of frames in a worker",
  "testdata/permissions_asker.ts": "permissions in a child",
  "testdata/ring_worker.ts": "a channel of frames in a worker",
  "testdata/scarce_failure.ts": "failures without a descriptor",
  "workers/workers_fakes.ts":
    "the facts of a server and the opening of a connection",
};
