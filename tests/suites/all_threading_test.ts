/** Tests of handlers on workers. */

import "../shared_places_test.ts";
import "../threading_test.ts";
import "../threading_accept_test.ts";
import "../threading_death_test.ts";
import "../threading_memory_test.ts";
import "../threading_rest_test.ts";
import "../threading_start_test.ts";
import "../threading_tls_test.ts";
import "../threads_pool_test.ts";
import "../threads_ring_test.ts";
import "../threads_units_test.ts";
