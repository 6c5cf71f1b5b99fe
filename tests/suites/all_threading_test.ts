/** Tests of handlers on workers. */

import "../datagram_relay_test.ts";
import "../frame_channel_test.ts";
import "../inbound_relay_test.ts";
import "../outbound_relay_test.ts";
import "../pending_calls_test.ts";
import "../ring_test.ts";
import "../shared_places_test.ts";
import "../threading_accept_test.ts";
import "../threading_death_test.ts";
import "../threading_memory_test.ts";
import "../threading_rest_test.ts";
import "../threading_start_test.ts";
import "../threading_test.ts";
import "../threading_tls_test.ts";
import "../wakeup_flag_test.ts";
import "../watchdog_test.ts";
import "../worker_pool_test.ts";
import "../worker_request_runner_test.ts";
import "../worker_server_stub_test.ts";
import "../worker_stream_transport_test.ts";
