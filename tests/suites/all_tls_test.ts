/** Tests of TLS. */

import "../server_ssl_test.ts";
import "../server_ssl_peers_test.ts";
import "../server_tls_test.ts";
import "../ssl_context_test.ts";
import "../ssl_ends_test.ts";
import "../ssl_peers_test.ts";
import "../ssl_verify_test.ts";
import "../ssl_wrap_test.ts";
