/** Tests of sockets over TCP and UDP. */

import "../create_connection_test.ts";
import "../inherited_test.ts";
import "../interop_socket_test.ts";
import "../memory_socketpair_test.ts";
import "../select_test.ts";
import "../socket_test.ts";
import "../socket_abort_test.ts";
import "../socket_close_test.ts";
import "../socket_connect_test.ts";
import "../socket_datagram_test.ts";
import "../socket_deadline_test.ts";
import "../socket_from_test.ts";
import "../socket_functions_test.ts";
import "../socket_leftovers_test.ts";
import "../socket_lossless_test.ts";
import "../socket_nonblocking_test.ts";
import "../socket_recv_test.ts";
import "../socket_send_test.ts";
import "../socket_shutdown_test.ts";
import "../socket_streams_test.ts";
import "../socket_timeout_test.ts";
import "../socket_turns_test.ts";
import "../socket_unawaited_test.ts";
