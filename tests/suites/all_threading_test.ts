/** Tests of handlers on workers. */

import "../workers/datagram_relay_test.ts";
import "../channel/frame_channel_test.ts";
import "../workers/inbound_relay_test.ts";
import "../workers/outbound_relay_test.ts";
import "../channel/pending_calls_test.ts";
import "../channel/ring_test.ts";
import "../requests/shared_places_test.ts";
import "../workers/threading_accept_test.ts";
import "../workers/threading_death_test.ts";
import "../workers/threading_memory_test.ts";
import "../workers/threading_rest_test.ts";
import "../workers/threading_start_test.ts";
import "../workers/threading_test.ts";
import "../workers/threading_tls_test.ts";
import "../channel/wakeup_flag_test.ts";
import "../workers/watchdog_test.ts";
import "../workers/worker_pool_test.ts";
import "../workers/worker_request_runner_test.ts";
import "../workers/worker_server_stub_test.ts";
import "../workers/worker_stream_transport_test.ts";
