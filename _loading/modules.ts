/**
 * All modules that `mod.ts` loads, for Deno to find them in one place.
 *
 * Deno (2.9.6) goes through the modules breadth first. For each file in which it meets one for the first time it
 * reads that file again and decodes its source map, to know the place of the import in case it fails: 0.2 ms for a
 * file of 10 KiB. Without this list 35 files were such, and an import of `mod.ts` took 4 ms more, of 25; the
 * start of a worker or of a child, 7 ms more. So each entry imports this first.
 *
 * The order does not matter. A test compares the list with what is loaded.
 *
 * @module
 */

import "../_processes/forking.ts";
import "../_remote/briefing.ts";
import "../_remote/permissions.ts";
import "../_server/active.ts";
import "../_server/concurrent.ts";
import "../_server/dispatcher.ts";
import "../_server/errors.ts";
import "../_server/options.ts";
import "../_server/requests.ts";
import "../_server/serve.ts";
import "../_server/serve_loop.ts";
import "../_server/service.ts";
import "../_server/steps.ts";
import "../_server/task.ts";
import "../_socket/address.ts";
import "../_socket/alarm.ts";
import "../_socket/calls.ts";
import "../_socket/check.ts";
import "../_socket/connect.ts";
import "../_socket/constants.ts";
import "../_socket/core.ts";
import "../_socket/datagram.ts";
import "../_socket/datagram_memory.ts";
import "../_socket/deno_datagram.ts";
import "../_socket/errno.ts";
import "../_socket/errors.ts";
import "../_socket/facade.ts";
import "../_socket/identity.ts";
import "../_socket/inet.ts";
import "../_socket/ip.ts";
import "../_socket/listener.ts";
import "../_socket/lock.ts";
import "../_socket/lookup.ts";
import "../_socket/names.ts";
import "../_socket/net_listener.ts";
import "../_socket/net_open.ts";
import "../_socket/node.ts";
import "../_socket/node_datagram.ts";
import "../_socket/node_stream.ts";
import "../_socket/open.ts";
import "../_socket/options.ts";
import "../_socket/read_buffer.ts";
import "../_socket/read_memory.ts";
import "../_socket/receive.ts";
import "../_socket/resolve.ts";
import "../_socket/select.ts";
import "../_socket/send.ts";
import "../_socket/sendfile.ts";
import "../_socket/services.ts";
import "../_socket/slot.ts";
import "../_socket/spare_buffers.ts";
import "../_socket/stream.ts";
import "../_socket/transport.ts";
import "../_socket/unix_datagram.ts";
import "../_socket/writer.ts";
import "../_stream/buffered_reader.ts";
import "../_stream/buffered_rw_pair.ts";
import "../_stream/buffered_writer.ts";
import "../_stream/bytes.ts";
import "../_stream/checks.ts";
import "../_stream/codecs.ts";
import "../_stream/errors.ts";
import "../_stream/holding.ts";
import "../_stream/lines.ts";
import "../_stream/makefile.ts";
import "../_stream/newlines.ts";
import "../_stream/outbox.ts";
import "../_stream/queues.ts";
import "../_stream/reads.ts";
import "../_stream/text_reader.ts";
import "../_stream/text_rw_pair.ts";
import "../_stream/text_writer.ts";
import "../_stream/writer.ts";
import "../_threads/mixin.ts";
import "../handlers.ts";
import "../mixins.ts";
import "../server.ts";
import "../socket.ts";
