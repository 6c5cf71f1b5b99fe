/** Tests of sockets over TCP and UDP. */

import "../socket/create_connection_test.ts";
import "../runtime/inherited/inherited_test.ts";
import "../socket/interop_socket_test.ts";
import "../testing/memory_socketpair_test.ts";
import "../socket/select_test.ts";
import "../socket/socket_test.ts";
import "../socket/socket_abort_test.ts";
import "../socket/socket_close_test.ts";
import "../socket/socket_connect_test.ts";
import "../socket/socket_datagram_test.ts";
import "../socket/socket_deadline_test.ts";
import "../socket/socket_from_test.ts";
import "../socket/socket_functions_test.ts";
import "../socket/socket_leftovers_test.ts";
import "../socket/socket_lossless_test.ts";
import "../socket/socket_nonblocking_test.ts";
import "../socket/socket_recv_test.ts";
import "../socket/socket_send_test.ts";
import "../socket/socket_shutdown_test.ts";
import "../socket/socket_streams_test.ts";
import "../socket/socket_timeout_test.ts";
import "../socket/socket_turns_test.ts";
import "../socket/socket_unawaited_test.ts";
