/** Tests of parsers, queues, rings, timers: the units under the sockets, servers and files. */

import "../codecs_test.ts";
import "../datagram_memory_test.ts";
import "../datagram_receives_test.ts";
import "../deno_version_test.ts";
import "../errors_test.ts";
import "../graph_test.ts";
import "../helpers_test.ts";
import "../holding_test.ts";
import "../inet_test.ts";
import "../lookup_test.ts";
import "../multicast_test.ts";
import "../mutex_queue_test.ts";
import "../node_stream_test.ts";
import "../pending_operation_test.ts";
import "../proxy_header_test.ts";
import "../receive_buffer_test.ts";
import "../receive_memory_test.ts";
import "../relay_test.ts";
import "../resolve_test.ts";
import "../scope_id_test.ts";
import "../send_queue_test.ts";
import "../stack_test.ts";
import "../staggered_race_test.ts";
import "../timeouts_test.ts";
import "../unread_queues_test.ts";
