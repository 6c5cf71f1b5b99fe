/**
 * What ARCHITECTURE.md says, for the tests of it.
 *
 * @module
 */

import { granted } from "./helpers/allowed.ts";
import { read } from "./docs_programs.ts";

/** Whether the page can be read. */
export const readable: boolean = granted("read");

/** The text of the page. */
export const architecture = (): string => read("ARCHITECTURE.md");

/** A row of the table of workarounds. */
export interface Workaround {
  name: string;
  /** What Deno does. */
  fault: string;
  /** The versions of Deno in which the fault was seen. */
  version: string;
  /** The files and functions of the workaround, as the page has them. */
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

/** The test files that import private modules, because they test units: each with its unit, a module of `internal/`. */
export const UNIT_TESTS: Readonly<Record<string, string>> = {
  "accept_rate_test.ts": "requests/accept_rate",
  "acceptors_test.ts": "children/acceptors",
  "blocking_same_test.ts": "blocking/blocking_socket_shell",
  "blocking_units_test.ts": "blocking/deadline",
  "call_executor_test.ts": "children/call_executor",
  "child_acceptor_test.ts": "children/child_acceptor",
  "child_job_test.ts": "children/child_job",
  "child_survey_test.ts": "children/child_survey",
  "child_transports_test.ts": "children/child_transports",
  "codecs_test.ts": "files/codecs",
  "concurrency_limit_test.ts": "children/concurrency_limit",
  "datagram_memory_test.ts": "socket/datagram_memory",
  "datagram_receives_test.ts": "socket/datagram_receives",
  "datagram_relay_test.ts": "workers/datagram_relay",
  "deno_version_test.ts": "runtime/deno_version",
  "errors_test.ts": "base/errno",
  "failure_test.ts": "handoff/failure",
  "frame_channel_test.ts": "channel/frame_channel",
  "inbound_relay_test.ts": "workers/inbound_relay",
  "inet_test.ts": "base/inet",
  "inherited_test.ts": "runtime/listen_fds",
  "lookup_test.ts": "runtime/dns",
  "loop_waiter_test.ts": "server/loop_waiter",
  "mutex_queue_test.ts": "waiting/mutex",
  "node_listener_test.ts": "runtime/node_listener",
  "node_stream_test.ts": "runtime/node_stream",
  "outbound_relay_test.ts": "workers/outbound_relay",
  "pending_calls_test.ts": "channel/pending_calls",
  "pending_operation_test.ts": "waiting/pending_operation",
  "permission_flags_test.ts": "handoff/permissions",
  "pool_child_test.ts": "children/pool_child",
  "proxy_header_test.ts": "proxy/version_2",
  "receive_buffer_test.ts": "socket/receive_buffer",
  "receive_memory_test.ts": "socket/receive_memory",
  "request_registry_test.ts": "requests/request_registry",
  "resolve_test.ts": "runtime/getaddrinfo",
  "ring_test.ts": "channel/ring",
  "scope_id_test.ts": "runtime/scope_id",
  "send_queue_test.ts": "socket/send_queue",
  "sendfile_test.ts": "socket/sendfile",
  "server_accept_test.ts": "server/accept_errors",
  "shared_places_test.ts": "requests/shared_places",
  "staggered_race_test.ts": "waiting/staggered_race",
  "timeouts_test.ts": "waiting/timeouts",
  "unix_datagram_test.ts": "runtime/unix_datagram",
  "unix_deaf_test.ts": "runtime/unix_datagram",
  "unix_units_test.ts": "runtime/unix_aliases",
  "unread_queues_test.ts": "files/unread_queues",
  "wakeup_flag_test.ts": "channel/wakeup_flag",
  "watchdog_test.ts": "workers/watchdog",
  "worker_pool_test.ts": "workers/worker_pool",
  "worker_request_runner_test.ts": "workers/worker_request_runner",
  "worker_server_stub_test.ts": "workers/worker_server_stub",
  "worker_stream_transport_test.ts": "workers/worker_stream_transport",
  "writers_same_test.ts": "blocking/blocking_writer",
};

/** The files of tests that import private modules though they test no unit of them, and what they need there. */
export const NEEDS_PRIVATE: Readonly<Record<string, string>> = {
  "children_fakes.ts": "the messages between a server and its children",
  "helpers.ts":
    "the transport over node:dgram, whatever the flags; a timeout without a timer",
  "ssl_helpers.ts": "the listener over node:net, whatever the flags",
  "telemetry_helpers.ts": "the names of all channels",
  "testdata/forking_handlers.ts": "the registry of requests in a child",
  "testdata/last_words_worker.ts": "a channel of frames in a worker",
  "testdata/permissions_asker.ts": "permissions in a child",
  "testdata/ring_worker.ts": "a channel of frames in a worker",
  "testdata/scarce_failure.ts": "failures without a descriptor",
  "workers_fakes.ts": "the facts of a server and the opening of a connection",
};
